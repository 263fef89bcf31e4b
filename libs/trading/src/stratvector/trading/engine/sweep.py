"""The same loop under prange: one column per parameter set, each with a book of its own."""

import numba
from numba import prange

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.session import run_bare
from stratvector.trading.engine.state import (
    ASSET,
    FILLS,
    Book,
    Floats,
    Indices,
    Integers,
    Market,
    Plan,
    Rules,
    new_book,
    new_plan,
)
from stratvector.trading.engine.step import decide, match_close, observe, place


@engine_jit
def run_two(
    market: Market,
    weights: Floats,
    weights_beside: Floats,
    multipliers: Floats,
    book: Book,
    book_beside: Book,
    rules: Rules,
    plan: Plan,
    plan_beside: Plan,
    equity: Floats,
    equity_beside: Floats,
    symbols: Indices,
    models: Indices,
) -> tuple[int, int]:
    """`run_bare` of two columns in step, phase by phase: while the figures of one wait for each
    other, the processor computes the other's.
    """
    for t in range(len(equity)):
        match_close(t, market, book, rules, plan, symbols, models)
        match_close(t, market, book_beside, rules, plan_beside, symbols, models)
        value = observe(t, market, weights, book, rules, plan, symbols, models)
        beside = observe(
            t, market, weights_beside, book_beside, rules, plan_beside, symbols, models
        )
        decide(t, value, market, multipliers, book, rules, plan, symbols, models)
        decide(t, beside, market, multipliers, book_beside, rules, plan_beside, symbols, models)
        place(book, rules, plan, symbols, models)
        place(book_beside, rules, plan_beside, symbols, models)
        equity[t] = value
        equity_beside[t] = beside
    return plan.flags[FILLS], plan_beside.flags[FILLS]


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
    last = weights.shape[0] - 1
    for pair in prange((weights.shape[0] + 1) // 2):
        a, b = 2 * pair, min(2 * pair + 1, last)
        if rules.rebalance_band == 0.0 and b > a:
            book_a = new_book(len(symbols), len(models), cash, of_accounts)
            plan_a = new_plan(len(symbols), len(models), groups, None)
            book_b = new_book(len(symbols), len(models), cash, of_accounts)
            plan_b = new_plan(len(symbols), len(models), groups, None)
            fills[a], fills[b] = run_two(
                market,
                weights[a],
                weights[b],
                multipliers,
                book_a,
                book_b,
                rules,
                plan_a,
                plan_b,
                equity[a],
                equity[b],
                symbols,
                models,
            )
        else:
            for column in range(a, b + 1):
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
