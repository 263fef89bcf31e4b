"""The record of ledger entries, which sessions through the services give."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property

import numpy as np

from stratvector.backtest.metrics.arrays import Flags, Floats, Times
from stratvector.backtest.record import (
    CANCELLED,
    EXPIRED,
    FILLED,
    WORKING,
    FillColumns,
    OrderColumns,
    Unordered,
)
from stratvector.trading.engine.state import Integers
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.halts import Halt, halts_of
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import SymbolDecision
from stratvector.trading.portfolio import Portfolio, RiskLimits
from stratvector.trading.reasons import Outcome


def executions(entry: LedgerEntry) -> list[tuple[FillEvent, tuple[int, ...]]]:
    """The executions of an entry with their lots per model."""
    parts = dict(entry.attributed)
    return [(e, parts[e.execution_id]) for e in entry.events if e.kind is FillKind.FILLED]


class LedgerRecord:
    """See `record.Record`. entries : one per decided close, at least one. limits : by chapter,
    where they are not the portfolio's.
    """

    def __init__(
        self,
        entries: Sequence[LedgerEntry],
        portfolio: Portfolio,
        limits: Mapping[int, RiskLimits],
    ) -> None:
        self._entries, self._portfolio, self._limits = entries, portfolio, limits
        self._numbers = {symbol: n for n, symbol in enumerate(portfolio.symbols)}
        self._orders = [order for entry in entries for order in entry.decision.orders]
        self._fills = [each for entry in entries for each in executions(entry)]

    @cached_property
    def close_times(self) -> Times:
        """Decided closes, ns UTC."""
        return np.array([entry.close_time for entry in self._entries], dtype=np.int64)

    @cached_property
    def equity(self) -> Floats:
        """At each close, base currency."""
        return np.array([entry.decision.equity for entry in self._entries])

    @cached_property
    def gross(self) -> Floats:
        """Sum of absolute positions, base currency."""
        return np.array([entry.decision.gross_exposure for entry in self._entries])

    @cached_property
    def drawdown_factor(self) -> Floats:
        """What the drawdown rule left of all exposures."""
        return np.array([entry.decision.drawdown_factor for entry in self._entries])

    @cached_property
    def halted(self) -> Flags:
        """Whether a drawdown had halted the portfolio."""
        return np.array([entry.decision.halted for entry in self._entries])

    @cached_property
    def reduce_only(self) -> Flags:
        """Whether a daily loss allowed no new risk."""
        return np.array([entry.decision.reduce_only for entry in self._entries])

    @cached_property
    def cash(self) -> Floats:
        """Of all accounts after each close."""
        return np.array([float(entry.cash) for entry in self._entries])

    @cached_property
    def profits(self) -> Floats:
        """float64[T, M], each model's since the start."""
        return np.array([[float(m.equity) for m in entry.models] for entry in self._entries])

    @cached_property
    def commissions(self) -> Floats:
        """float64[M], what each model paid."""
        return np.array([float(model.commission) for model in self._entries[-1].models])

    def exact_cash(self, row: int) -> Decimal:
        """Cash after one close."""
        return self._entries[row].cash

    @cached_property
    def orders(self) -> OrderColumns:
        """Approved orders."""
        orders = self._orders
        filled, ended = self._endings()
        lots = _whole(order.lots for order in orders)
        filled_lots = _whole(filled.get(order.order_id, 0) for order in orders)
        status = _whole(ended.get(order.order_id, WORKING) for order in orders)
        return OrderColumns(
            decided_at=_whole(order.decided_at for order in orders),
            symbol=_whole(self._numbers[order.symbol] for order in orders),
            lots=lots,
            quantity=self._quantities([(order.symbol, order.lots) for order in orders]),
            reference_price=np.array([float(order.reference_price) for order in orders]),
            expires_at=_whole(order.expires_at for order in orders),
            status=np.where(filled_lots == lots, FILLED, status),
            filled_lots=filled_lots,
            parts=self._parts([order.parts for order in orders]),
        )

    @cached_property
    def fills(self) -> FillColumns:
        """Executions."""
        events = [event for event, _ in self._fills]
        rows = {order_id: row for row, order_id in enumerate(self.order_ids)}
        return FillColumns(
            order=_whole(rows[event.order_id] for event in events),
            fill_time=_whole(event.fill_time for event in events),
            known_time=_whole(event.known_time for event in events),
            symbol=_whole(self._numbers[event.symbol] for event in events),
            lots=_whole(event.lots for event in events),
            quantity=self._quantities([(event.symbol, event.lots) for event in events]),
            price=np.array([float(event.price) for event in events]),
            commission=np.array([float(event.commission) for event in events]),
            slippage=np.array([float(event.slippage) for event in events]),
            parts=self._parts([parts for _, parts in self._fills]),
        )

    @property
    def order_ids(self) -> list[str]:
        """Of each order."""
        return [order.order_id for order in self._orders]

    @property
    def execution_ids(self) -> list[str]:
        """Of each fill."""
        return [event.execution_id for event, _ in self._fills]

    @cached_property
    def outcomes(self) -> Mapping[int, int]:
        """How often a plan ended so, by `reasons.Outcome`."""
        rows = (row for entry in self._entries for row in entry.decision.symbols)
        return Counter(int(row.outcome) for row in rows)

    @cached_property
    def unordered(self) -> tuple[Unordered, ...]:
        """Of symbols that were never traded."""
        traded = {order.symbol for order in self._orders}
        traded |= {cross.symbol for entry in self._entries for cross in entry.decision.crosses}
        found: dict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
        for entry in self._entries:
            for row in entry.decision.symbols:
                if row.symbol not in traded and (code := _unordered_code(row)):
                    target = abs(row.stages[-1]) * entry.decision.equity
                    place = self._numbers[row.symbol], code
                    found[place].append((entry.close_time, target))
        return tuple(
            Unordered(
                code,
                self._portfolio.symbols[number],
                len(seen),
                seen[0][0],
                seen[-1][0],
                max(target for _, target in seen),
            )
            for (number, code), seen in sorted(found.items())
        )

    @cached_property
    def halts(self) -> tuple[Halt, ...]:
        """When a breaker stopped trading."""
        return halts_of(self._entries, self._portfolio, self._limits).halts

    def _endings(self) -> tuple[dict[str, int], dict[str, int]]:
        """Per order id: lots filled, and how it ended where it did not fill."""
        filled: dict[str, int] = defaultdict(int)
        ended: dict[str, int] = {}
        for entry in self._entries:
            for event in entry.events:
                if event.kind is FillKind.FILLED:
                    filled[event.order_id] += event.lots
                elif event.kind is FillKind.EXPIRED:
                    ended[event.order_id] = EXPIRED
            for cancel in entry.decision.cancels:
                ended[cancel.order_id] = CANCELLED
        return filled, ended

    def _quantities(self, rows: list[tuple[str, int]]) -> Floats:
        sizes = {i.symbol: i for i in self._portfolio.instruments}
        return np.array([float(sizes[symbol].quantity(lots)) for symbol, lots in rows])

    def _parts(self, rows: list[tuple[int, ...]]) -> Integers:
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self._portfolio.models))


def _whole(values: Iterable[int]) -> Integers:
    return np.fromiter(values, dtype=np.int64)


def _unordered_code(row: SymbolDecision) -> str:
    """Why a symbol with a target got no order, empty where it is not by its size."""
    if not row.stages or row.stages[-1] == 0.0:
        return ""
    if row.outcome is Outcome.BELOW_BAND:
        return "below_minimum_order"
    return "lot_too_large" if row.outcome is Outcome.NO_CHANGE and row.target_lots == 0 else ""
