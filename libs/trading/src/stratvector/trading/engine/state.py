"""The engine's arrays. S symbols, M models, C asset classes, A accounts, T closes; all written in
place, none allocated in a loop.

What belongs to one symbol stands side by side (columns named below), so that a step needs few base
addresses: this made the one-symbol step a third faster than one array per figure. `symbols` and
`models` go with them everywhere: a tuple such as (0,) makes numba unroll the loops for one symbol
(twice as fast as a runtime length of one), an int64 array serves any number.
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

CASH, PEAK, DAY_START, LAST_EQUITY = 0, 1, 2, 3  # Book.account
DAY, LATCH, DAY_LOSS = 0, 1, 2  # Book.latch
POSITION, WORKING, CANCELLING = 0, 1, 2  # Book.lots
MODEL_LOTS, ORDER_PART, FILLED_PART, MISSING = 0, 1, 2, 3  # Book.cells
MODEL_TARGET, CROSS_PART, REASON = 0, 2, 3  # Plan.cells, beside ORDER_PART
LOT_SIZE, PRICE_UNITS = 0, 1  # Rules.grid
ASSET, CLASS, RESTRICTED_FLAG, ACCOUNT = 0, 1, 2, 3  # Rules.groups
FILL_PRICE, EXPOSURE, SCALE = 0, 1, 2  # Plan.figures
FILL_LOTS, FILL_COMMISSION, EXPIRED, TARGET, ORDER = 0, 1, 2, 3, 4  # Plan.fields
PLANNED, MOVES, CANCEL, CROSSED, OUTCOME = 5, 6, 7, 8, 9  # Plan.fields
HALTED, REDUCE_ONLY, HELD_BACK, MOVED, FILLS = 0, 1, 2, 3, 4  # Plan.flags


class Book(NamedTuple):
    """One portfolio's books, folded from fills, marks and decisions.

    account : float64[4], CASH of all accounts in the base currency, PEAK, DAY_START and LAST_EQUITY
    of the breakers. cash : float64[A], that of each account.
    latch : int64[3], DAY (UTC date number), LATCH (1 = halted by drawdown), DAY_LOSS (1 = no new
    risk for the rest of the date).
    lots : int64[S, 3], POSITION; WORKING: signed lots of the symbol's one working order that are
    still open; CANCELLING: 1 while a cancel of it is under way.
    mark : float64[S], last known close, 0 = none yet.
    cells : int64[S, M, 4], the models' virtual MODEL_LOTS; ORDER_PART and FILLED_PART of the
    working order; MISSING: closes since the last good weight. held_weight : float64[S, M], that
    weight. model_cash : float64[M]. kept : int64[S], signed lots that the rules' keeper wants.
    """

    account: Floats
    cash: Floats
    latch: Integers
    lots: Integers
    mark: Floats
    cells: Integers
    held_weight: Floats
    model_cash: Floats
    kept: Integers


class Rules(NamedTuple):
    """What stays fixed in a run. Caps are fractions of equity, infinity is no cap.

    grid : float64[S, 2], LOT_SIZE (units) and PRICE_UNITS (10^price_precision). groups : int64[S,
    4], ASSET and CLASS numbers, RESTRICTED_FLAG, ACCOUNT number. budget : float64[M]. class_cap :
    float64[C].
    keeper : number of the model that wants lots (`Book.kept`) instead of weights, and whose budget
    is 0; -1 = none. gives : bool[S, M], whether what the model has of the symbol is handed to it.
    capital_cap, minimum_order_notional : base currency. rebalance_band : part of the models'
    targets or holdings. cash_collar : how far above its mark a buy may fill, a fraction; infinity:
    at any price, and cash may go below zero.
    """

    grid: Floats
    groups: Integers
    budget: Floats
    class_cap: Floats
    keeper: int
    gives: Flags
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
    rebalance_band: float
    minimum_order_notional: float
    cash_collar: float
    commission: float
    slippage: float
    volume_limit: float


def shapes(arrays: Any) -> str:
    """A named tuple of arrays in one line: a session's values would be pages."""
    named = zip(arrays._fields, arrays, strict=True)
    listed = ", ".join(f"{name} {values.shape}" for name, values in named)
    return f"{type(arrays).__name__}({listed})"


class Market(NamedTuple):
    """Bars on the merged schedule. open, close, volume : float64[T, S], NaN = missing or not
    closing.

    closing : bool[T, S], the symbol's universe closes at t. day : int64[T], UTC date number.
    """

    open: Floats
    close: Floats
    volume: Floats
    closing: Flags
    day: Integers

    def __repr__(self) -> str:
        return shapes(self)


class Plan(NamedTuple):
    """One step's results and scratch space.

    fields : int64[S, 10], what matching gave (FILL_LOTS, FILL_COMMISSION in millionths, EXPIRED
    lots) and the decision (TARGET, ORDER lots; PLANNED, MOVES, CANCEL, CROSSED as 0 or 1;
    OUTCOME). figures : float64[S, 3], FILL_PRICE; EXPOSURE, fraction of equity after the stages so
    far (of unplanned symbols: as held); SCALE, what the stages left of it.
    cells : int64[S, M, 4], MODEL_TARGET, ORDER_PART, CROSS_PART, weight REASON. effective :
    float64[S, M], weight x budget x multiplier after the position clip. stages : float64[STAGES,
    S] or None.
    factor : float64[1], drawdown multiplier. flags : int64[5], HALTED, REDUCE_ONLY; HELD_BACK:
    some symbol keeps other lots than its target; MOVED: there is something to place; FILLS: so many
    since the plan was made. The rest is scratch.
    """

    fields: Integers
    figures: Floats
    cells: Integers
    effective: Floats
    stages: Any
    factor: Floats
    flags: Integers
    group_planned: Floats
    group_fixed: Floats
    part: Integers
    share: Integers
    given: Integers
    fraction: Floats


@allocating_jit
def new_book(symbols: int, models: int, cash: float, of_accounts: Floats) -> Book:
    """A flat book. cash : of all accounts. of_accounts : float64[A], that of each."""
    book = Book(
        np.full(4, cash),
        np.zeros(len(of_accounts)),
        np.zeros(3, np.int64),
        np.zeros((symbols, 3), np.int64),
        np.zeros(symbols),
        np.zeros((symbols, models, 4), np.int64),
        np.zeros((symbols, models)),
        np.zeros(models),
        np.zeros(symbols, np.int64),
    )
    book.latch[DAY] = -1
    for account in range(len(of_accounts)):
        book.cash[account] = of_accounts[account]
    return book


@allocating_jit
def new_plan(symbols: int, models: int, groups: int, stages: Any) -> Plan:
    """Scratch space for one step. groups : the larger of the numbers of assets and classes."""
    return Plan(
        np.zeros((symbols, 10), np.int64),
        np.zeros((symbols, 3)),
        np.zeros((symbols, models, 4), np.int64),
        np.zeros((symbols, models)),
        stages,
        np.ones(1),
        np.zeros(5, np.int64),
        np.zeros(groups),
        np.zeros(groups),
        np.zeros(models, np.int64),
        np.zeros(models, np.int64),
        np.zeros(models, np.int64),
        np.zeros(models),
    )
