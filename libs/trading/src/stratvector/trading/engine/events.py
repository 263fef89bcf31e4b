"""What a run keeps: a row per order, execution, ending and cross, and a few figures per close.

Most closes trade nothing, so rows take far less memory than figures of every symbol at every close
(`journal.py`), from which all else can be computed again when somebody asks.
"""

from typing import NamedTuple

import numpy as np

from stratvector.trading.engine.account import gross_exposure
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    CANCEL,
    CROSS_PART,
    EXPIRED,
    FILL_COMMISSION,
    FILL_LOTS,
    FILL_PRICE,
    HALTED,
    MOVES,
    ORDER,
    ORDER_PART,
    OUTCOME,
    PLANNED,
    POSITION,
    REDUCE_ONLY,
    STAGES,
    TARGET,
    Book,
    Flags,
    Floats,
    Indices,
    Integers,
    Plan,
    Rules,
    shapes,
)
from stratvector.trading.engine.targets import BELOW_BAND, NO_CHANGE

OUTCOMES = 14  # of `reasons.Outcome`
IS_HALTED, IS_REDUCE_ONLY, IS_FLAT = 0, 1, 2  # Closes.flags
BY_BAND, BY_LOT = 0, 1  # Tally.wanted: below the band or the minimum order; below one lot
COUNT, FIRST, LAST = 0, 1, 2  # Tally.wanted
CLOSE, SYMBOL, ORDER_LOTS = 0, 1, 2  # Rows.orders
ORDER_ROW, LOTS, COMMISSION = 1, 2, 3  # Rows.fills, beside CLOSE
IS_CANCELLED = 2  # Rows.endings, beside CLOSE and ORDER_ROW
ORDERS, EXECUTIONS, ENDINGS, CROSSES, EARLIER_ORDERS = 0, 1, 2, 3, 4  # Rows.used


class Closes(NamedTuple):
    """Per close: equity and gross exposure (base currency), the drawdown factor, and flags
    (bool[T, 3]): IS_HALTED, IS_REDUCE_ONLY, and IS_FLAT, no position is held.
    """

    equity: Floats
    gross: Floats
    factor: Floats
    flags: Flags

    def __repr__(self) -> str:
        return shapes(self)


class Rows(NamedTuple):
    """Rows in the order of events. Orders are numbered from the beginning of the run.

    orders : int64[N, 3], CLOSE, SYMBOL, ORDER_LOTS. order_price : float64[N], the mark at the
    decision. order_parts : int64[N, M], signed lots per model; no columns for one model, whose
    part is the whole. fills : int64[N, 4], CLOSE, ORDER_ROW, LOTS, COMMISSION in millionths.
    fill_price : float64[N]. endings : int64[N, 3], CLOSE, ORDER_ROW, IS_CANCELLED (0: expired).
    crosses : int64[N, 2], CLOSE, SYMBOL. cross_price, cross_parts : as for orders.
    used : int64[5], how many rows of each there are, and EARLIER_ORDERS, which are kept elsewhere.
    working : int64[S], the number of each symbol's newest order.
    """

    orders: Integers
    order_price: Floats
    order_parts: Integers
    fills: Integers
    fill_price: Floats
    endings: Integers
    crosses: Integers
    cross_price: Floats
    cross_parts: Integers
    used: Integers
    working: Integers

    def __repr__(self) -> str:
        return shapes(self)


class Tally(NamedTuple):
    """What is counted over a run. outcomes : int64[OUTCOMES], of all symbols at all closes.

    wanted : int64[S, 2, 3], BY_BAND and BY_LOT: at how many closes a symbol had a target without an
    order before it was ever traded, the first and the last of them. largest : float64[S, 2], the
    largest such target, base currency. traded : bool[S], whether it was ever ordered or crossed.
    """

    outcomes: Integers
    wanted: Integers
    largest: Floats
    traded: Flags

    def __repr__(self) -> str:
        return shapes(self)


def new_closes(closes: int) -> Closes:
    """Empty arrays for a run of `closes` steps."""
    flags = np.zeros((closes, 3), np.bool_)
    return Closes(np.zeros(closes), np.zeros(closes), np.ones(closes), flags)


def new_rows(capacity: int, symbols: int, models: int) -> Rows:
    """Room for `capacity` rows of each kind; one model has no crosses and no parts."""
    several = models > 1
    parts, crosses = (models if several else 0), (capacity if several else 0)
    return Rows(
        np.zeros((capacity, 3), np.int64),
        np.zeros(capacity),
        np.zeros((capacity, parts), np.int64),
        np.zeros((capacity, 4), np.int64),
        np.zeros(capacity),
        np.zeros((capacity, 3), np.int64),
        np.zeros((crosses, 2), np.int64),
        np.zeros(crosses),
        np.zeros((crosses, parts), np.int64),
        np.zeros(5, np.int64),
        np.full(symbols, -1, np.int64),
    )


def new_tally(symbols: int) -> Tally:
    """Nothing counted yet."""
    return Tally(
        np.zeros(OUTCOMES, np.int64),
        np.zeros((symbols, 2, 3), np.int64),
        np.zeros((symbols, 2)),
        np.zeros(symbols, np.bool_),
    )


@engine_jit
def write_execution(t: int, s: int, rows: Rows, plan: Plan) -> None:
    """The execution and the expiry of a symbol's order at t."""
    if plan.fields[s, FILL_LOTS] != 0:
        n = rows.used[EXECUTIONS]
        rows.used[EXECUTIONS] = n + 1
        rows.fills[n, CLOSE] = t
        rows.fills[n, ORDER_ROW] = rows.working[s]
        rows.fills[n, LOTS] = plan.fields[s, FILL_LOTS]
        rows.fills[n, COMMISSION] = plan.fields[s, FILL_COMMISSION]
        rows.fill_price[n] = plan.figures[s, FILL_PRICE]
    if plan.fields[s, EXPIRED] != 0:
        write_ending(t, s, 0, rows)


@engine_jit
def write_ending(t: int, s: int, is_cancelled: int, rows: Rows) -> None:
    """A symbol's order expired, or was cancelled, at t."""
    n = rows.used[ENDINGS]
    rows.used[ENDINGS] = n + 1
    rows.endings[n, CLOSE] = t
    rows.endings[n, ORDER_ROW] = rows.working[s]
    rows.endings[n, IS_CANCELLED] = is_cancelled


@engine_jit
def write_order(t: int, s: int, rows: Rows, book: Book, plan: Plan, models: Indices) -> None:
    """A symbol's approved order."""
    n = rows.used[ORDERS]
    rows.used[ORDERS] = n + 1
    rows.working[s] = n + rows.used[EARLIER_ORDERS]
    rows.orders[n, CLOSE] = t
    rows.orders[n, SYMBOL] = s
    rows.orders[n, ORDER_LOTS] = plan.fields[s, ORDER]
    rows.order_price[n] = book.mark[s]
    if len(models) > 1:
        for m in range(len(models)):
            rows.order_parts[n, m] = plan.cells[s, m, ORDER_PART]


@engine_jit
def write_cross(t: int, s: int, rows: Rows, book: Book, plan: Plan, models: Indices) -> bool:
    """Lots of a symbol that change hands between models; whether there are any."""
    crossed = False
    for m in range(len(models)):
        crossed = crossed or plan.cells[s, m, CROSS_PART] != 0
    if crossed:
        n = rows.used[CROSSES]
        rows.used[CROSSES] = n + 1
        rows.crosses[n, CLOSE] = t
        rows.crosses[n, SYMBOL] = s
        rows.cross_price[n] = book.mark[s]
        for m in range(len(models)):
            rows.cross_parts[n, m] = plan.cells[s, m, CROSS_PART]
    return crossed


@engine_jit
def count_wanted(t: int, s: int, value: float, tally: Tally, plan: Plan) -> None:
    """A symbol that was never traded has a target, and again no order."""
    outcome = plan.fields[s, OUTCOME]
    exposure = plan.stages[STAGES - 1, s]
    by_lot = outcome == NO_CHANGE and plan.fields[s, TARGET] == 0
    if exposure == 0.0 or not (outcome == BELOW_BAND or by_lot):
        return
    kind = BY_LOT if by_lot else BY_BAND
    if tally.wanted[s, kind, COUNT] == 0:
        tally.wanted[s, kind, FIRST] = t
    tally.wanted[s, kind, COUNT] += 1
    tally.wanted[s, kind, LAST] = t
    tally.largest[s, kind] = max(tally.largest[s, kind], abs(exposure) * value)


@engine_jit
def write_symbol(
    t: int,
    s: int,
    value: float,
    rows: Rows,
    tally: Tally,
    book: Book,
    plan: Plan,
    models: Indices,
) -> None:
    """One symbol's events at t, in the order of the flow."""
    write_execution(t, s, rows, plan)
    tally.outcomes[plan.fields[s, OUTCOME]] += 1
    if plan.fields[s, CANCEL] == 1:
        write_ending(t, s, 1, rows)
    moves = plan.fields[s, PLANNED] == 1 and plan.fields[s, MOVES] == 1
    if len(models) > 1 and moves and write_cross(t, s, rows, book, plan, models):
        tally.traded[s] = True
    if plan.fields[s, ORDER] != 0:
        write_order(t, s, rows, book, plan, models)
        tally.traded[s] = True
    elif not tally.traded[s] and plan.fields[s, PLANNED] == 1:
        count_wanted(t, s, value, tally, plan)


@engine_jit
def write_close(
    t: int,
    value: float,
    closes: Closes,
    rows: Rows,
    tally: Tally,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """Keep one step; `value` is the equity that it was decided on."""
    flat = True
    for s in range(len(symbols)):
        write_symbol(t, s, value, rows, tally, book, plan, models)
        flat = flat and book.lots[s, POSITION] == 0
    closes.equity[t] = value
    closes.gross[t] = gross_exposure(book, rules.grid, symbols)
    closes.factor[t] = plan.factor[0]
    closes.flags[t, IS_HALTED] = plan.flags[HALTED] == 1
    closes.flags[t, IS_REDUCE_ONLY] = plan.flags[REDUCE_ONLY] == 1
    closes.flags[t, IS_FLAT] = flat
