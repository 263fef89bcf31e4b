"""The same loop under prange: one column per parameter set, each with a book of its own."""

import numba
from numba import prange

from stratvector.trading.engine.session import run_bare
from stratvector.trading.engine.state import (
    ASSET,
    Floats,
    Indices,
    Integers,
    Market,
    Rules,
    new_book,
    new_plan,
)


@numba.njit(cache=True, error_model="numpy", parallel=True)
def run_columns(
    market: Market,
    weights: Floats,
    multipliers: Floats,
    cash: float,
    of_accounts: Floats,
    rules: Rules,
    equity: Floats,
    fills: Integers,
    symbols: Indices,
    models: Indices,
) -> None:
    """Run every column of weights (float64[columns, T, M, S]) on the same bars.

    equity : float64[columns, T], out. fills : int64[columns], out: executions per column.
    A column's result does not depend on the others, nor on the number of threads.
    """
    groups = max(len(rules.class_cap), rules.groups[:, ASSET].max() + 1)
    for column in prange(weights.shape[0]):
        book = new_book(len(symbols), len(models), cash, of_accounts)
        plan = new_plan(len(symbols), len(models), groups, None)
        fills[column] = run_bare(
            market,
            weights[column],
            multipliers,
            book,
            rules,
            plan,
            equity[column],
            symbols,
            models,
        )
