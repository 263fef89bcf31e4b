"""What the ledger answers when it is asked: records read off the committed entries.

Times are ns UTC, lots are signed, money is base currency. `parts` are lots per model in config
order, models without any left out.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from stratvector.trading.fills import TERMINAL, FillKind
from stratvector.trading.reasons import Outcome, Stage

FILLED, WORKING = "filled", "working"


@dataclass(frozen=True)
class LedgerStatus:
    """How far a portfolio's record has come; None where there is no close yet.

    closes, signals, orders, fills : how many are committed. chain_hash : of the record up to the
    newest close, empty before the first. lot_sizes : units in one lot of each symbol.
    """

    portfolio: str
    closes: int
    first_close: int | None
    last_close: int | None
    cash: Decimal | None
    equity: Decimal | None
    signals: int
    orders: int
    fills: int
    chain_hash: str = ""
    lot_sizes: dict[str, Decimal] = field(default_factory=dict)
    run: str = ""


@dataclass(frozen=True)
class OrderRecord:
    """An approved order, and what has become of it up to the newest close.

    last_event : None is none yet. text : the broker's words with it. reason, stage : why it was
    approved, and what set its size: see `order_causes`.
    """

    close_time: int
    order_id: str
    symbol: str
    lots: int
    parts: dict[str, int]
    reference_price: Decimal
    expires_at: int
    filled_lots: int
    last_event: FillKind | None
    text: str
    reason: str
    stage: Stage

    @property
    def status(self) -> str:
        """filled, working, or how it ended otherwise: rejected, cancelled, expired, abandoned."""
        if self.filled_lots == self.lots:
            return FILLED
        if self.last_event in TERMINAL:
            return self.last_event.name.lower()
        return WORKING


@dataclass(frozen=True)
class FillRecord:
    """One execution. close_time : of the close at which it was booked."""

    close_time: int
    execution_id: str
    order_id: str
    symbol: str
    lots: int
    parts: dict[str, int]
    price: Decimal
    commission: Decimal
    slippage: Decimal
    fill_time: int
    known_time: int


@dataclass(frozen=True)
class ModelEquity:
    """One model's share of the account; models start at zero, so equity is profit.

    commission : paid since the start.
    """

    model: str
    cash: Decimal
    commission: Decimal
    equity: Decimal


@dataclass(frozen=True)
class AccountCash:
    """What one broker account has, base currency."""

    account: str
    cash: Decimal


@dataclass(frozen=True)
class EquityRecord:
    """The portfolio after one close, its accounts by name; engine_equity, gross_exposure and
    drawdown_factor are the engine's own floats.
    """

    close_time: int
    cash: Decimal
    equity: Decimal
    engine_equity: float
    gross_exposure: float
    drawdown_factor: float
    halted: bool
    reduce_only: bool
    models: tuple[ModelEquity, ...]
    accounts: tuple[AccountCash, ...] = ()


@dataclass(frozen=True)
class PositionRecord:
    """One symbol's holding, whole and per model; models that hold opposite lots leave 0."""

    symbol: str
    lots: int
    parts: dict[str, int]


@dataclass(frozen=True)
class HeldPositions:
    """What is held after a close, by symbol; close_time None: there was no close yet."""

    close_time: int | None
    positions: tuple[PositionRecord, ...]


@dataclass(frozen=True)
class ModelResult:
    """What one model has earned over a range of closes, net of the commission that it paid there.

    fills : executions that it has a part in.
    """

    model: str
    profit: Decimal
    commission: Decimal
    fills: int


@dataclass(frozen=True)
class RejectionRecord:
    """Decisions about one symbol that ended without an order, for one reason."""

    reason: Outcome
    symbol: str
    count: int
    first_close: int
    last_close: int


@dataclass(frozen=True)
class Rejections:
    """Decisions that ended without an order. total : how many, also beyond the records."""

    records: tuple[RejectionRecord, ...]
    total: int
