"""Every subject that a portfolio has, from the patterns of the table of hops."""

from stratvector.trading import lanes as of
from stratvector.trading.flow import Hop
from stratvector.trading.portfolio import Portfolio


def lanes(one: Hop, portfolio: Portfolio) -> tuple[str, ...]:
    """Every lane that a noun has in a portfolio."""
    if "{universe}" in one.subject:
        return tuple(of.bars_lane(portfolio, universe) for universe in portfolio.universes)
    keys = {
        "run": portfolio.run,
        "portfolio": portfolio.name,
        "account": portfolio.account_names[0],
    }
    if "{model}" in one.subject:
        return tuple(one.subject.format(model=name, **keys) for name in portfolio.model_names)
    return (one.subject.format(**keys),)
