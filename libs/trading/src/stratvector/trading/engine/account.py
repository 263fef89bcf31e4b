"""Fills become lots and cash, of the portfolio and of the models; marks become equity."""

from stratvector.trading.engine.allocation import apportion, split_fill
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    ACCOUNT,
    CANCELLING,
    CASH,
    CROSS_PART,
    FILLED_PART,
    LOT_SIZE,
    MICRO,
    MODEL_LOTS,
    ORDER_PART,
    POSITION,
    WORKING,
    Book,
    Floats,
    Indices,
    Market,
    Plan,
    Rules,
)


@engine_jit
def equity(book: Book, grid: Floats, symbols: Indices) -> float:
    """Cash plus positions at their last known marks, summed in symbol order."""
    value: float = book.account[CASH]
    for s in range(len(symbols)):
        value += book.lots[s, POSITION] * grid[s, LOT_SIZE] * book.mark[s]
    return value


@engine_jit
def gross_exposure(book: Book, grid: Floats, symbols: Indices) -> float:
    """Sum of absolute position values, base currency."""
    value = 0.0
    for s in range(len(symbols)):
        value += abs(book.lots[s, POSITION]) * grid[s, LOT_SIZE] * book.mark[s]
    return value


@engine_jit
def mark_close(t: int, market: Market, book: Book, symbols: Indices) -> None:
    """Take the closes of the symbols that close at t; a missing bar keeps the last mark."""
    for s in range(len(symbols)):
        if market.closing[t, s] and market.close[t, s] > 0.0:
            book.mark[s] = market.close[t, s]


@engine_jit
def settle_fill(
    s: int,
    lots: int,
    price: float,
    commission: int,
    book: Book,
    rules: Rules,
    plan: Plan,
    models: Indices,
) -> None:
    """Apply one execution of the symbol's working order; commission in millionths.

    The models' parts (`plan.part`) and fees (`plan.share`) add up to the whole exactly.
    """
    unit = rules.grid[s, LOT_SIZE] * price
    paid = lots * unit + commission / MICRO
    book.account[CASH] -= paid
    book.cash[rules.groups[s, ACCOUNT]] -= paid
    book.lots[s, POSITION] += lots
    book.lots[s, WORKING] -= lots
    if len(models) == 1:  # known when compiled: its part is the whole
        book.cells[s, 0, FILLED_PART] += lots
        book.cells[s, 0, MODEL_LOTS] += lots
        book.model_cash[0] -= paid
        return
    split_execution(s, lots, commission, book, plan, models)
    for m in range(len(models)):
        book.cells[s, m, FILLED_PART] += plan.part[m]
        book.cells[s, m, MODEL_LOTS] += plan.part[m]
        book.model_cash[m] -= plan.part[m] * unit + plan.share[m] / MICRO


@engine_jit
def split_execution(
    s: int, lots: int, commission: int, book: Book, plan: Plan, models: Indices
) -> None:
    """The models' parts of an execution (`plan.part`) and of its commission (`plan.share`)."""
    order, filled = 0, 0
    for m in range(len(models)):
        plan.share[m] = book.cells[s, m, ORDER_PART]
        plan.given[m] = book.cells[s, m, FILLED_PART]
        order += plan.share[m]
        filled += plan.given[m]
    split_fill(order, filled, lots, plan.share, plan.given, plan.part, models)
    apportion(commission, plan.part, plan.share, models)


@engine_jit
def release(s: int, book: Book, models: Indices) -> None:
    """The symbol's order is terminal: nothing of it is reserved any more."""
    book.lots[s, WORKING] = 0
    book.lots[s, CANCELLING] = 0
    for m in range(len(models)):
        book.cells[s, m, ORDER_PART] = 0
        book.cells[s, m, FILLED_PART] = 0


@engine_jit
def settle_cross(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """Lots change hands between models at the mark, free of cost."""
    unit = rules.grid[s, LOT_SIZE] * book.mark[s]
    for m in range(len(models)):
        book.cells[s, m, MODEL_LOTS] += plan.cells[s, m, CROSS_PART]
        book.model_cash[m] -= plan.cells[s, m, CROSS_PART] * unit
