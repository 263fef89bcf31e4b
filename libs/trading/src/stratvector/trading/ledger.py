"""ledger: the permanent record; positions, cash, equity and attribution in exact decimals.

A pure fold of bars, signals, orders and fills in the order of the closes. Each close gives one
`LedgerEntry`. The parts of the models add up to the whole exactly: lots, cash, commission and
equity.
"""

from dataclasses import dataclass
from decimal import Decimal

from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import Decision
from stratvector.trading.signals import Signals


@dataclass(frozen=True)
class ModelAccount:
    """One model's share at a close. positions : lots per symbol, zero ones left out."""

    model: str
    positions: dict[str, int]
    cash: Decimal
    commission: Decimal
    equity: Decimal


@dataclass(frozen=True)
class LedgerEntry:
    """Everything that became known up to one close, and the account after it.

    positions : lots per symbol, zero ones left out. cash, equity : base currency, exact.
    attributed : per executed fill, its execution id and the signed lots per model in config order.
    """

    portfolio: str
    close_time: int
    signals: tuple[Signals, ...]
    decision: Decision
    events: tuple[FillEvent, ...]
    attributed: tuple[tuple[str, tuple[int, ...]], ...]
    positions: dict[str, int]
    cash: Decimal
    equity: Decimal
    models: tuple[ModelAccount, ...]


@dataclass(frozen=True)
class Positions:
    """What `positions.<portfolio>` carries after fills: lots, cash and equity at a close."""

    portfolio: str
    close_time: int
    number: int
    positions: dict[str, int]
    cash: Decimal
    equity: Decimal
