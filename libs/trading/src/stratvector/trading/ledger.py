"""ledger: the permanent record; positions, cash, equity and attribution in exact decimals.

A pure fold of bars, signals, orders and fills in the order of the closes. Each close gives one
`LedgerEntry`. The parts of the models add up to the whole exactly: lots, cash, commission and
equity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import TypeVar

from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import Decision
from stratvector.trading.signals import Signals

Value = TypeVar("Value")

MONEY_STEP = Decimal("0.00000001")
_WIDE = Context(prec=60, Emin=MIN_EMIN, Emax=MAX_EMAX)  # the caller's could refuse large sums


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
    marks : the prices that came with this close's bars, base currency per unit. run : of the
    portfolio, empty in what was recorded before runs were kept. accounts : the cash of each, exact.
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
    marks: dict[str, Decimal] = field(default_factory=dict)
    run: str = ""
    accounts: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Positions:
    """What `positions.<portfolio>` carries after fills: lots, cash and equity at a close."""

    portfolio: str
    close_time: int
    number: int
    positions: dict[str, int]
    cash: Decimal
    equity: Decimal


def same_entry(one: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether two entries say the same, to the last digit; NaN is NaN, and names have no order."""
    return one == other or _spelled(one) == _spelled(other)


def _spelled(entry: LedgerEntry) -> str:
    cut = entry.decision.cut
    cut = replace(cut, bars=_by_name(cut.bars), signals=_by_name(cut.signals))
    models = tuple(replace(m, positions=_by_name(m.positions)) for m in entry.models)
    return repr(
        replace(
            entry,
            decision=replace(entry.decision, cut=cut),
            positions=_by_name(entry.positions),
            models=models,
            marks=_by_name(entry.marks),
            accounts=_by_name(entry.accounts),
        )
    )


def _by_name(pairs: Mapping[str, Value]) -> dict[str, Value]:
    return dict(sorted(pairs.items()))


def rounded_money(money: Decimal) -> Decimal:
    """Cash or equity as it is told outside of the record: half-even to 1e-8."""
    return money.quantize(MONEY_STEP, ROUND_HALF_EVEN, _WIDE)


def positions_of(entry: LedgerEntry, number: int) -> Positions:
    """What is published of an entry; number : of the message in its lane, from 0."""
    return Positions(
        entry.portfolio,
        entry.close_time,
        number,
        entry.positions,
        rounded_money(entry.cash),
        rounded_money(entry.equity),
    )
