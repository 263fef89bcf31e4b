"""Account-wide breakers: drawdown de-risks, then halts; a daily loss stops new risk."""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    DAY,
    DAY_LOSS,
    DAY_START,
    HALTED,
    LAST_EQUITY,
    LATCH,
    PEAK,
    REDUCE_ONLY,
    Book,
    Plan,
    Rules,
)


@engine_jit
def start_day(day: int, book: Book) -> None:
    """On a new UTC date, the last equity of the date before becomes the day's start, and the daily
    loss is forgiven.
    """
    if day != book.latch[DAY]:
        book.latch[DAY] = day
        book.latch[DAY_LOSS] = 0
        book.account[DAY_START] = book.account[LAST_EQUITY]


@engine_jit
def drawdown_factor(value: float, book: Book, rules: Rules) -> float:
    """1, derisking_factor past the trigger, or 0 past the halt, which latches until a person re-
    enables it.
    """
    peak = max(book.account[PEAK], value)
    book.account[PEAK] = peak
    if value <= peak * (1.0 - rules.drawdown_halt):
        book.latch[LATCH] = 1
    if book.latch[LATCH] == 1:
        return 0.0
    if value <= peak * (1.0 - rules.drawdown_trigger):
        return rules.derisking_factor
    return 1.0


@engine_jit
def trip_breakers(day: int, value: float, book: Book, rules: Rules, plan: Plan) -> None:
    """Fold one close's equity into the breakers; sets the plan's factor and flags."""
    start_day(day, book)
    plan.factor[0] = drawdown_factor(value, book, rules)
    plan.flags[HALTED] = book.latch[LATCH]
    start = book.account[DAY_START]
    floor = start - rules.daily_loss * abs(start)  # below a negative start, too
    if value <= floor:
        book.latch[DAY_LOSS] = 1  # for the rest of the date, whatever is won back
    plan.flags[REDUCE_ONLY] = book.latch[DAY_LOSS]
    book.account[LAST_EQUITY] = value
