"""The ledger's fold: closes in their order become entries, in exact decimals.

The same split of fills and fees over the models as in the engine (its functions are called), so
that attribution is one truth; money is Decimal, so that the models' parts add up to the whole to
the last digit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.columns import Values
from stratvector.trading.engine.allocation import apportion, split_fill
from stratvector.trading.engine.arithmetic import round_columns
from stratvector.trading.engine.session import indices
from stratvector.trading.engine_rules import grid_of
from stratvector.trading.executions import MICRO_DECIMALS, commission_micros
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry, ModelAccount
from stratvector.trading.meaning.rules import check_known
from stratvector.trading.orders import ApprovedOrder, Cross, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import ExcessExecution, StrayExecution


@dataclass
class _ModelBook:
    lots: dict[str, int] = field(default_factory=dict)
    cash: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)


@dataclass
class _OpenOrder:
    order: ApprovedOrder
    filled: int
    given: np.ndarray[tuple[int], np.dtype[np.int64]]


class LedgerFold:
    """Account and attribution of one portfolio. `fold` takes one close after the other."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._instruments = {i.symbol: i for i in portfolio.instruments}
        self._grids = {u.name: grid_of(u.instruments) for u in portfolio.universes}
        self._axis = indices(len(portfolio.models))
        self._cash = portfolio.initial_cash
        self._lots: dict[str, int] = {}
        self._marks: dict[str, Decimal] = {}
        self._models = [_ModelBook() for _ in portfolio.models]
        self._orders: dict[str, _OpenOrder] = {}

    def fold(
        self,
        events: Sequence[FillEvent],
        bars: Sequence[ClosedBars],
        signals: Sequence[Signals],
        decision: Decision,
    ) -> LedgerEntry:
        """One close: events up to it, its bars (marks), signals and decision.

        Raises StrayExecution for an execution of an order that is not working, ExcessExecution for
        one of more than is left of it, Absurd for a symbol that the portfolio does not have.
        """
        ordered = [order.symbol for order in decision.orders]
        check_known("symbol", [*ordered, *(c.symbol for c in decision.crosses)], self._instruments)
        attributed = [
            (event.execution_id, self._settle(event))
            for event in events
            if event.kind is FillKind.FILLED
        ]
        for event in events:
            if event.kind in TERMINAL:
                self._orders.pop(event.order_id, None)
        marks = {
            symbol: mark
            for section in bars
            for symbol, mark in _marks(section, self._grids[section.universe])
        }
        self._marks |= marks
        for cross in decision.crosses:
            self._cross(cross)
        zeros = len(self._portfolio.models)
        for order in decision.orders:
            self._orders[order.order_id] = _OpenOrder(order, 0, np.zeros(zeros, np.int64))
        return self._entry(tuple(events), tuple(signals), decision, tuple(attributed), marks)

    def _settle(self, event: FillEvent) -> tuple[int, ...]:
        """Book one execution and return its parts per model."""
        opened = self._orders.get(event.order_id)
        if opened is None or opened.order.symbol != event.symbol:
            raise StrayExecution(event.execution_id, event.order_id, event.symbol)
        left = opened.order.lots - opened.filled
        if not 0 < abs(event.lots) <= abs(left) or event.lots * left < 0:
            raise ExcessExecution(event.execution_id, event.order_id, event.lots, left)
        count = len(self._models)
        parts, fees = np.zeros(count, np.int64), np.zeros(count, np.int64)
        shares = np.array(opened.order.parts, np.int64)
        split_fill(
            opened.order.lots, opened.filled, event.lots, shares, opened.given, parts, self._axis
        )
        apportion(commission_micros(event.commission), parts, fees, self._axis)
        opened.filled += event.lots
        opened.given += parts
        unit = self._instruments[event.symbol].lot_size * event.price
        self._cash -= event.lots * unit + event.commission
        _add(self._lots, event.symbol, event.lots)
        for model, part, fee in zip(self._models, parts.tolist(), fees.tolist(), strict=True):
            cost = fee * MICRO_DECIMALS
            _add(model.lots, event.symbol, part)
            model.cash -= part * unit + cost
            model.commission += cost
        if opened.filled == opened.order.lots:
            del self._orders[event.order_id]
        return tuple(parts.tolist())

    def _cross(self, cross: Cross) -> None:
        unit = self._instruments[cross.symbol].lot_size * cross.price
        for model, part in zip(self._models, cross.parts, strict=True):
            _add(model.lots, cross.symbol, part)
            model.cash -= part * unit

    def _value(self, lots: Mapping[str, int]) -> Decimal:
        return sum(
            (self._instruments[s].quantity(n) * self._marks[s] for s, n in lots.items()),
            Decimal(0),
        )

    def _entry(
        self,
        events: tuple[FillEvent, ...],
        signals: tuple[Signals, ...],
        decision: Decision,
        attributed: tuple[tuple[str, tuple[int, ...]], ...],
        marks: dict[str, Decimal],
    ) -> LedgerEntry:
        return LedgerEntry(
            portfolio=self._portfolio.name,
            close_time=decision.close_time,
            signals=signals,
            decision=decision,
            events=events,
            attributed=attributed,
            positions=dict(self._lots),
            cash=self._cash,
            equity=self._cash + self._value(self._lots),
            models=tuple(
                ModelAccount(
                    allocation.name,
                    dict(model.lots),
                    model.cash,
                    model.commission,
                    model.cash + self._value(model.lots),
                )
                for allocation, model in zip(self._portfolio.models, self._models, strict=True)
            ),
            marks=marks,
            run=self._portfolio.run,
        )


def _marks(section: ClosedBars, grid: Values) -> Iterator[tuple[str, Decimal]]:
    """The prices of symbols that have one, on the grid that fills are on."""
    closes = section.close[np.newaxis].copy()
    round_columns(closes, grid)
    for symbol, close in zip(section.symbols, closes[0].tolist(), strict=True):
        if close > 0:
            yield symbol, Decimal(repr(close))


def _add(lots: dict[str, int], symbol: str, change: int) -> None:
    """Add lots, leaving zero positions out."""
    total = lots.get(symbol, 0) + change
    if total:
        lots[symbol] = total
    else:
        lots.pop(symbol, None)
