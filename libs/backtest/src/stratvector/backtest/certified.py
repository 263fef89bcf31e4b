"""Strategies earn their certificates before they run; what nobody checked is a caveat."""

from dataclasses import replace

from stratvector.strategies import ensure_certified
from stratvector.trading.session import Session


def certified(session: Session, check: bool = True) -> Session:
    """The session, with a caveat for each strategy that is not certified.

    Raises Uncertified: see `ensure_certified`.
    """
    caveats = session.caveats
    for model in session.portfolio.models:
        bars = session.histories[model.universe].bars
        found = ensure_certified(session.strategies[model.name], bars, check)
        caveats += tuple(one for one in found if one not in caveats)
    return session if caveats is session.caveats else replace(session, caveats=caveats)
