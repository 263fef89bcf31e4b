"""The engine's arrays. S symbols, M models, C asset classes, T closes; all written in place, none allocated in a loop.

`symbols` and `models` go with them everywhere: a tuple such as (0,) makes numba unroll the loops for one symbol
(twenty times faster than a runtime length of one), an int64 array serves any number.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.engine.compiling import allocating_jit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Indices = Any  # tuple of int, or int64 array: each is a type of its own to numba

MICRO = 1e6  # commission is kept in whole millionths of the base currency
STAGES = 8

PEAK, DAY_START, LAST_EQUITY = 0, 1, 2
DAY, LATCH = 0, 1


class Book(NamedTuple):
    """One portfolio's account, folded from fills, marks and decisions.

    cash : float64[1], base currency. position : int64[S] lots. mark : float64[S], last known close, 0 = none yet.
    model_lots, model_cash : the models' virtual accounts, int64[M, S] and float64[M].
    working : int64[S], signed lots of the symbol's one working order that are still open.
    order_parts, filled_parts : int64[M, S], that order's lots per model and what of them is filled.
    held_weight : float64[M, S], last good weight. missing : int64[M, S], closes since.
    breaker : float64[3] PEAK, DAY_START, LAST_EQUITY. latch : int64[2] DAY (UTC date number), LATCH (1 = halted).
    """

    cash: Floats
    position: Integers
    mark: Floats
    model_lots: Integers
    model_cash: Floats
    working: Integers
    order_parts: Integers
    filled_parts: Integers
    held_weight: Floats
    missing: Integers
    breaker: Floats
    latch: Integers


class Rules(NamedTuple):
    """What stays fixed in a run. Caps are fractions of equity, infinity is no cap.

    lot_size, price_units : float64[S], units in a lot and 10^price_precision. asset, asset_class : int64[S] groups.
    budget : float64[M]. class_cap : float64[C]. restricted : bool[S].
    """

    lot_size: Floats
    price_units: Floats
    asset: Integers
    asset_class: Integers
    restricted: Flags
    budget: Floats
    class_cap: Floats
    position_cap: float
    symbol_cap: float
    asset_cap: float
    invested_cap: float
    gross_cap: float
    capital_cap: float
    daily_loss: float
    drawdown_trigger: float
    drawdown_halt: float
    derisking_factor: float
    no_trade_band: float
    commission: float
    slippage: float
    volume_limit: float


class Market(NamedTuple):
    """Bars on the merged schedule. open, close, volume : float64[T, S], NaN = missing or not closing.

    closing : bool[T, S], the symbol's universe closes at t. day : int64[T], UTC date number.
    """

    open: Floats
    close: Floats
    volume: Floats
    closing: Flags
    day: Integers


class Plan(NamedTuple):
    """One step's results and scratch space.

    fill_* : what matching gave (lots, price, commission in millionths), expired : lots that ran out.
    effective : float64[M, S], weight x budget x multiplier after the position clip. exposure : float64[S], fraction of
    equity after the stages so far (of unplanned symbols: as held). scale : float64[S], what the stages left of it.
    stages : float64[STAGES, S] or None. target_lots : int64[S]; order_*, cross_parts, crossed, cancel, outcome,
    weight_reason : the decision. factor : float64[1], drawdown multiplier. flags : int64[2] halted, reduce_only.
    """

    fill_lots: Integers
    fill_price: Floats
    fill_commission: Integers
    expired: Integers
    effective: Floats
    exposure: Floats
    scale: Floats
    planned: Flags
    stages: Any
    target_lots: Integers
    model_target: Integers
    order_lots: Integers
    order_parts: Integers
    cross_parts: Integers
    crossed: Flags
    cancel: Flags
    outcome: Integers
    weight_reason: Integers
    factor: Floats
    flags: Integers
    group_planned: Floats
    group_fixed: Floats
    part: Integers
    share: Integers
    fraction: Floats


HALTED, REDUCE_ONLY = 0, 1


@allocating_jit
def new_book(symbols: int, models: int, cash: float) -> Book:
    """A flat account."""
    book = Book(
        np.zeros(1),
        np.zeros(symbols, np.int64),
        np.zeros(symbols),
        np.zeros((models, symbols), np.int64),
        np.zeros(models),
        np.zeros(symbols, np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros((models, symbols)),
        np.zeros((models, symbols), np.int64),
        np.zeros(3),
        np.zeros(2, np.int64),
    )
    book.cash[0] = cash
    book.breaker[PEAK] = cash
    book.breaker[DAY_START] = cash
    book.breaker[LAST_EQUITY] = cash
    book.latch[DAY] = -1
    return book


@allocating_jit
def new_plan(symbols: int, models: int, groups: int, stages: Any) -> Plan:
    """Scratch space for one step. groups : the larger of the numbers of assets and classes."""
    return Plan(
        np.zeros(symbols, np.int64),
        np.zeros(symbols),
        np.zeros(symbols, np.int64),
        np.zeros(symbols, np.int64),
        np.zeros((models, symbols)),
        np.zeros(symbols),
        np.zeros(symbols),
        np.zeros(symbols, np.bool_),
        stages,
        np.zeros(symbols, np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros(symbols, np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros(symbols, np.bool_),
        np.zeros(symbols, np.bool_),
        np.zeros(symbols, np.int64),
        np.zeros((models, symbols), np.int64),
        np.ones(1),
        np.zeros(2, np.int64),
        np.zeros(groups),
        np.zeros(groups),
        np.zeros(models, np.int64),
        np.zeros(models, np.int64),
        np.zeros(models),
    )
