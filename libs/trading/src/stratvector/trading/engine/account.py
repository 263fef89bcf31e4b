"""Fills become lots and cash, of the portfolio and of the models; marks become equity."""

from stratvector.trading.engine.allocation import apportion, split_fill
from stratvector.trading.engine.arithmetic import round_to_grid
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import MICRO, Book, Floats, Indices, Market, Plan, Rules


@engine_jit
def equity(book: Book, lot_size: Floats, symbols: Indices) -> float:
    """Cash plus positions at their last known marks, summed in symbol order."""
    value = book.cash[0]
    for s in range(len(symbols)):
        value += book.position[s] * lot_size[s] * book.mark[s]
    return value


@engine_jit
def gross_exposure(book: Book, lot_size: Floats, symbols: Indices) -> float:
    """Sum of absolute position values, base currency."""
    value = 0.0
    for s in range(len(symbols)):
        value += abs(book.position[s]) * lot_size[s] * book.mark[s]
    return value


@engine_jit
def mark_close(t: int, market: Market, book: Book, symbols: Indices) -> None:
    """Take the closes of the symbols that close at t; a missing bar keeps the last mark."""
    for s in range(len(symbols)):
        if market.closing[t, s] and market.close[t, s] > 0.0:
            book.mark[s] = market.close[t, s]


@engine_jit
def settle_fill(
    s: int, lots: int, price: float, commission: int, book: Book, rules: Rules, plan: Plan, models: Indices
) -> None:
    """Apply one execution of the symbol's working order; commission in millionths.

    The models' parts (`plan.part`) and fees (`plan.share`) add up to the whole exactly.
    """
    order, filled = 0, 0
    for m in range(len(models)):
        order += book.order_parts[m, s]
        filled += book.filled_parts[m, s]
    split_fill(
        order, filled, lots, book.order_parts[:, s], book.filled_parts[:, s], plan.part, models
    )
    apportion(commission, plan.part, plan.share, models)
    unit = rules.lot_size[s] * price
    book.cash[0] -= lots * unit + commission / MICRO
    book.position[s] += lots
    book.working[s] -= lots
    for m in range(len(models)):
        book.filled_parts[m, s] += plan.part[m]
        book.model_lots[m, s] += plan.part[m]
        book.model_cash[m] -= plan.part[m] * unit + plan.share[m] / MICRO


@engine_jit
def release(s: int, book: Book, models: Indices) -> None:
    """The symbol's order is terminal: nothing of it is reserved any more."""
    book.working[s] = 0
    for m in range(len(models)):
        book.order_parts[m, s] = 0
        book.filled_parts[m, s] = 0


@engine_jit
def settle_cross(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """Lots change hands between models at the mark on the instrument's grid, free of cost."""
    unit = rules.lot_size[s] * round_to_grid(book.mark[s], rules.price_units[s])
    for m in range(len(models)):
        book.model_lots[m, s] += plan.cross_parts[m, s]
        book.model_cash[m] -= plan.cross_parts[m, s] * unit
