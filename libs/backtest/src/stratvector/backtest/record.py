"""What a result is read off: the arrays of a run, whoever ran it.

`RunRecord` is a compiled run's: its rows, put into money by whole numbers. `LedgerRecord` is that
of ledger entries, which sessions through the services give. Both hold the same numbers to the bit,
so every driver's tables, metrics and files are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from stratvector.backtest.metrics.arrays import Flags, Floats, Times
from stratvector.trading.engine.state import Integers
from stratvector.trading.halts import Halt

FILLED, EXPIRED, CANCELLED, WORKING = 0, 1, 2, 3
STATUSES = ("filled", "expired", "cancelled", "working")


@dataclass(frozen=True, eq=False)
class OrderColumns:
    """Approved orders in the order of decisions, N of them.

    decided_at, expires_at : ns UTC, 0 = never again. symbol : number in the portfolio. lots,
    filled_lots : signed. quantity : units. parts : int64[N, M], lots per model. status : FILLED,
    EXPIRED, CANCELLED or WORKING.
    """

    decided_at: Times
    symbol: Integers
    lots: Integers
    quantity: Floats
    reference_price: Floats
    expires_at: Times
    status: Integers
    filled_lots: Integers
    parts: Integers


@dataclass(frozen=True, eq=False)
class FillColumns:
    """Executions in the order in which they became known, N of them.

    order : the row of its order. fill_time, known_time : ns UTC. symbol : number in the portfolio.
    lots : signed. quantity : units. price, commission, slippage : base currency. parts : int64[N,
    M], lots per model.
    """

    order: Integers
    fill_time: Times
    known_time: Times
    symbol: Integers
    lots: Integers
    quantity: Floats
    price: Floats
    commission: Floats
    slippage: Floats
    parts: Integers


@dataclass(frozen=True)
class Unordered:
    """Closes (ns UTC) at which a symbol that was never traded had a target without an order.

    code : below_minimum_order or lot_too_large. largest : such target, base currency.
    """

    code: str
    symbol: str
    closes: int
    first: int
    last: int
    largest: float


class Record(Protocol):
    """What results read. Series have one value per decided close, T >= 1.

    gross : base currency. profits : float64[T, M], each model's since the start. order_ids,
    execution_ids : per order and per fill.
    outcomes : how often a plan ended so, by `reasons.Outcome`.
    """

    @property
    def close_times(self) -> Times: ...
    @property
    def equity(self) -> Floats: ...
    @property
    def gross(self) -> Floats: ...
    @property
    def drawdown_factor(self) -> Floats: ...
    @property
    def halted(self) -> Flags: ...
    @property
    def reduce_only(self) -> Flags: ...
    @property
    def cash(self) -> Floats: ...
    @property
    def profits(self) -> Floats: ...
    @property
    def commissions(self) -> Floats: ...
    @property
    def orders(self) -> OrderColumns: ...
    @property
    def fills(self) -> FillColumns: ...
    @property
    def order_ids(self) -> list[str]: ...
    @property
    def execution_ids(self) -> list[str]: ...
    @property
    def outcomes(self) -> Mapping[int, int]: ...
    @property
    def unordered(self) -> tuple[Unordered, ...]: ...
    @property
    def halts(self) -> tuple[Halt, ...]: ...

    def exact_cash(self, row: int) -> Decimal:
        """Cash after one close."""
        ...
