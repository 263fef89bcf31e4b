"""The backtest driver: a compiled loop of `step` over all close times, with its events kept, with
everything recorded, or bare.
"""

from typing import Any

import numpy as np

from stratvector.trading.engine import events
from stratvector.trading.engine import journal as journals
from stratvector.trading.engine.account import gross_exposure
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    FILLS,
    Book,
    Floats,
    Indices,
    Market,
    Plan,
    Rules,
)
from stratvector.trading.engine.step import step

MODELS_UNROLLED_MAX = 3


@engine_jit
def run_recorded(
    first: int,
    stop: int,
    market: Market,
    weights: Floats,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    journal: Any,
    symbols: Indices,
    models: Indices,
) -> None:
    """Steps first .. stop - 1 with everything kept in the journal."""
    for t in range(first, stop):
        value = step(t, market, weights, multipliers, book, rules, plan, symbols, models)
        journals.write(t, value, market, journal, book, plan, symbols, models)
        journal.gross[t] = gross_exposure(book, rules.grid, symbols)


@engine_jit
def run_events(
    first: int,
    stop: int,
    market: Market,
    weights: Floats,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    closes: Any,
    rows: Any,
    tally: Any,
    symbols: Indices,
    models: Indices,
) -> int:
    """Steps from `first` on, until `stop` or until the rows have no room for another one; where to
    go on.
    """
    room = len(rows.order_price) - 2 * len(symbols)
    for t in range(first, stop):
        if max(rows.used[events.ORDERS], rows.used[events.ENDINGS]) > room:
            return t
        value = step(t, market, weights, multipliers, book, rules, plan, symbols, models)
        events.write_close(t, value, closes, rows, tally, book, rules, plan, symbols, models)
    return stop


@engine_jit
def run_bare(
    market: Market,
    weights: Floats,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    equity: Floats,
    symbols: Indices,
    models: Indices,
) -> int:
    """All steps, keeping only equity (float64[T]); the number of fills."""
    for t in range(len(equity)):
        equity[t] = step(t, market, weights, multipliers, book, rules, plan, symbols, models)
    fills: int = plan.flags[FILLS]
    return fills


def indices(count: int) -> Indices:
    """Symbols or models 0 .. count - 1: a tuple for one (unrolled), an array for more."""
    return (0,) if count == 1 else np.arange(count, dtype=np.int64)


def unrolled_models(count: int) -> Indices:
    """Models 0 .. count - 1 of a run: a tuple for few (code of their own for each number, half as
    long for three), an array for more. Same bits; only a loop of many closes is worth compiling.
    """
    return tuple(range(count)) if count <= MODELS_UNROLLED_MAX else indices(count)
