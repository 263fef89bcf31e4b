"""A ledger entry as rows: names by number, and positions only where they changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Table

from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.names import Names
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import Decision
from stratvector.trading.signals import Signals

Row = dict[str, Any]
Lots = Mapping[str, int]


class Held:
    """The positions after a close: of the whole, and of each model."""

    def __init__(self, whole: Lots | None = None, models: Mapping[str, Lots] | None = None) -> None:
        self.whole: Lots = whole or {}
        self.models: dict[str, Lots] = dict(models or {})

    @classmethod
    def after(cls, entry: LedgerEntry) -> "Held":
        """What an entry says."""
        return cls(entry.positions, {model.model: model.positions for model in entry.models})


class RowsOfCloses:
    """Rows of one close after the other, by table; parents before their children."""

    def __init__(self, names: Names) -> None:
        self.rows: defaultdict[Table, list[Row]] = defaultdict(list)
        self._names = names
        self._close: Row = {}

    def add(self, entry: LedgerEntry, before: Held) -> None:
        """One entry. before : the positions after the portfolio's close before it."""
        self._close = {
            "portfolio_id": self._names.portfolio(entry.portfolio),
            "close_time": entry.close_time,
        }
        self._account(entry)
        self._positions(entry, before)
        for place, signals in enumerate(entry.signals):
            self._signals(place, signals)
        self._decision(entry.decision)
        parts = dict(entry.attributed)
        for place, event in enumerate(entry.events):
            self._event(place, event, parts)

    def put(self, table: Table, **values: Any) -> None:
        """One more row of the close that was added last."""
        self.rows[table].append(self._close | values)

    def _account(self, entry: LedgerEntry) -> None:
        decision = entry.decision
        self.put(
            schema.closes,
            account=decision.account,
            cash=entry.cash,
            equity=entry.equity,
            engine_equity=decision.equity,
            gross_exposure=decision.gross_exposure,
            drawdown_factor=decision.drawdown_factor,
            halted=decision.halted,
            reduce_only=decision.reduce_only,
            fills_sequence=decision.cut.fills_sequence,
            commands_sequence=decision.cut.commands_sequence,
            multipliers=decision.cut.multipliers,
        )
        if decision.value_at_risk is not None:
            self.put(schema.value_at_risk, **asdict(decision.value_at_risk))
        for place, model in enumerate(entry.models):
            self.put(
                schema.model_accounts,
                model_place=place,
                model_id=self._names.model(model.model),
                cash=model.cash,
                commission=model.commission,
                equity=model.equity,
            )

    def _positions(self, entry: LedgerEntry, before: Held) -> None:
        for symbol, lots in _changes(before.whole, entry.positions):
            self.put(schema.position_changes, symbol_id=self._names.symbol(symbol), lots=lots)
        for model in entry.models:
            for symbol, lots in _changes(before.models.get(model.model, {}), model.positions):
                self.put(
                    schema.model_position_changes,
                    model_id=self._names.model(model.model),
                    symbol_id=self._names.symbol(symbol),
                    lots=lots,
                )

    def _signals(self, place: int, signals: Signals) -> None:
        self.put(
            schema.signals,
            place=place,
            model_id=self._names.model(signals.model),
            version=signals.version,
            bars_id=signals.bars_id,
            state=signals.state,
        )
        for number, row in enumerate(signals.rows):
            self.put(
                schema.signal_rows,
                place=place,
                row=number,
                symbol_id=self._names.symbol(row.symbol),
                weight=row.weight,
                confidence=row.confidence,
                action=row.action,
                reason=row.reason,
            )

    def _decision(self, decision: Decision) -> None:
        for noun, used in (("bars", decision.cut.bars), ("signals", decision.cut.signals)):
            for name, message in used.items():
                self.put(schema.decision_inputs, noun=noun, name=name, message_id=message)
        for place, symbol in enumerate(decision.symbols):
            self.put(
                schema.symbol_decisions,
                place=place,
                symbol_id=self._names.symbol(symbol.symbol),
                outcome=symbol.outcome,
                target_lots=symbol.target_lots,
                stages=symbol.stages,
                weight_reasons=symbol.weight_reasons,
            )
        self._orders(decision)
        for place, cross in enumerate(decision.crosses):
            symbol_id = self._names.symbol(cross.symbol)
            self.put(schema.crosses, place=place, symbol_id=symbol_id, price=cross.price)
            self._parts(schema.cross_parts, place, cross.parts)

    def _orders(self, decision: Decision) -> None:
        for place, order in enumerate(decision.orders):
            self.put(
                schema.orders,
                place=place,
                order_id=order.order_id,
                symbol_id=self._names.symbol(order.symbol),
                lots=order.lots,
                reference_price=order.reference_price,
                decided_at=order.decided_at,
                expires_at=order.expires_at,
            )
            self._parts(schema.order_parts, place, order.parts)
        for place, cancel in enumerate(decision.cancels):
            symbol_id = self._names.symbol(cancel.symbol)
            self.put(schema.cancels, place=place, order_id=cancel.order_id, symbol_id=symbol_id)

    def _event(self, place: int, event: FillEvent, parts: Mapping[str, Sequence[int]]) -> None:
        self.put(
            schema.order_events,
            place=place,
            kind=event.kind,
            order_id=event.order_id,
            symbol_id=self._names.symbol(event.symbol),
            epoch=event.epoch,
            known_time=event.known_time,
            text=event.text,
        )
        if event.kind is not FillKind.FILLED:
            return
        self.put(
            schema.fills,
            place=place,
            execution_id=event.execution_id,
            lots=event.lots,
            price=event.price,
            commission=event.commission,
            slippage=event.slippage,
            fill_time=event.fill_time,
        )
        self._parts(schema.fill_parts, place, parts[event.execution_id])

    def _parts(self, table: Table, place: int, parts: Sequence[int]) -> None:
        for model_place, lots in enumerate(parts):
            if lots:
                self.put(table, place=place, model_place=model_place, lots=lots)


def _changes(before: Lots, after: Lots) -> Iterable[tuple[str, int]]:
    """Symbols whose lots changed, with the lots that they have now."""
    if before == after:
        return ()
    return [
        (symbol, after.get(symbol, 0))
        for symbol in {**before, **after}
        if before.get(symbol, 0) != after.get(symbol, 0)
    ]
