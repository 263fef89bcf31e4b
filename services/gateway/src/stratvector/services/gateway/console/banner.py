"""banner: what must not be overlooked: a portfolio that is halted or may only reduce, a universe
that is silent.
"""

from stratvector.services.gateway.console.markup import broken
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.words import breach, minute
from stratvector.trading.halts import DRAWDOWN_HALT, Halt


def banner(context: PortfolioContext) -> str:
    """A line for each halt that lasts and each universe that is absent; nothing while there is
    none.
    """
    lines = [*map(_line, context.live.account.lasting), *map(_absent, context.live.absent)]
    return "".join(lines)


def _absent(universe: str) -> str:
    sentence = f"{universe}: no bars of it come; closes go on without it at its last prices."
    return (
        '<div class="banner banner-absent" role="alert" data-testid="banner-absent">'
        f"<b>Absent</b> {broken(sentence)}</div>"
    )


def _line(halt: Halt) -> str:
    if halt.rule == DRAWDOWN_HALT:
        name, state = "halted", "Halted"
        rest = "; selling what is held" if halt.flat_since is None else ""
        if halt.flat_since is not None:
            rest = f"; flat since {minute(halt.flat_since)} UTC"
    else:
        name, state = "reduce-only", "Reduce only"
        rest = "; no new risk for the rest of the UTC date"
    closes = f"{halt.closes:,} close{'' if halt.closes == 1 else 's'} so far"
    sentence = f"since {minute(halt.since)} UTC: {breach(halt)}{rest}. {closes}."
    return (
        f'<div class="banner banner-{name}" role="alert" data-testid="banner-{name}">'
        f"<b>{state}</b> {broken(sentence)}</div>"
    )
