"""One close of a portfolio as it was committed: rows become the ledger entry again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, select

from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.rows import Held
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry, ModelAccount
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
    ValueAtRisk,
)
from stratvector.trading.signals import SignalRow, Signals


def last_close(connection: Connection, portfolio: str) -> int | None:
    """The newest close of a portfolio, or None."""
    closes = schema.closes
    newest: int | None = connection.scalar(
        select(func.max(closes.c.close_time)).where(
            closes.c.portfolio_id == portfolio_number(portfolio)
        )
    )
    return newest


def portfolio_number(portfolio: str) -> Any:
    """A portfolio's number, as a part of a statement."""
    table = schema.portfolios
    return select(table.c.portfolio_id).where(table.c.name == portfolio).scalar_subquery()


def held_at(connection: Connection, portfolio: str, close_time: int) -> Held:
    """The positions after the newest close at or before a time."""
    whole = {
        row.symbol: row.lots
        for row in _newest_changes(connection, schema.position_changes, portfolio, close_time)
    }
    models: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in _newest_changes(connection, schema.model_position_changes, portfolio, close_time):
        models[row.model][row.symbol] = row.lots
    return Held(whole, models)


def _newest_changes(
    connection: Connection, table: Table, portfolio: str, close_time: int
) -> Sequence[Row[Any]]:
    """The newest change of each position up to a time, those to zero left out."""
    key = [table.c[name] for name in ("model_id", "symbol_id") if name in table.c]
    newest = (
        select(*key, func.max(table.c.close_time).label("close_time"))
        .where(table.c.portfolio_id == portfolio_number(portfolio))
        .where(table.c.close_time <= close_time)
        .group_by(*key)
        .subquery()
    )
    same = [table.c[column.name] == column for column in newest.c]
    columns = [schema.symbols.c.name.label("symbol"), table.c.lots]
    statement = (
        select(*columns)
        .join_from(table, newest, and_(*same))
        .join(schema.symbols, schema.symbols.c.symbol_id == table.c.symbol_id)
        .where(table.c.portfolio_id == portfolio_number(portfolio), table.c.lots != 0)
        .order_by(*key)
    )
    if "model_id" in table.c:
        statement = statement.add_columns(schema.models.c.name.label("model")).join(
            schema.models, schema.models.c.model_id == table.c.model_id
        )
    return connection.execute(statement).all()


class StoredClose:
    """Reads the rows of one close."""

    def __init__(self, connection: Connection, portfolio: str, close_time: int) -> None:
        self._connection = connection
        self._portfolio = portfolio
        self._close_time = close_time
        self._models = [row.model for row in self._rows(schema.model_accounts)]

    def entry(self) -> LedgerEntry | None:
        """The entry, or None when there is none of this close."""
        closes = self._rows(schema.closes)
        if not closes:
            return None
        held = held_at(self._connection, self._portfolio, self._close_time)
        fills = self._rows(schema.fills)
        parts = self._parts(schema.fill_parts)
        return LedgerEntry(
            portfolio=self._portfolio,
            close_time=self._close_time,
            signals=self._signals(),
            decision=self._decision(closes[0]),
            events=self._events({fill.place: fill for fill in fills}),
            attributed=tuple((fill.execution_id, parts[fill.place]) for fill in fills),
            positions=dict(held.whole),
            cash=closes[0].cash,
            equity=closes[0].equity,
            models=tuple(
                ModelAccount(
                    row.model,
                    dict(held.models.get(row.model, {})),
                    row.cash,
                    row.commission,
                    row.equity,
                )
                for row in self._rows(schema.model_accounts)
            ),
        )

    def _rows(self, table: Table) -> Sequence[Row[Any]]:
        """A table's rows of this close in their order, with the names of symbols and models."""
        statement = select(table)
        for names, key, label in (
            (schema.symbols, "symbol_id", "symbol"),
            (schema.models, "model_id", "model"),
        ):
            if key in table.c:
                statement = statement.add_columns(names.c.name.label(label)).join(
                    names, names.c[key] == table.c[key]
                )
        return self._connection.execute(
            statement.where(
                table.c.portfolio_id == portfolio_number(self._portfolio),
                table.c.close_time == self._close_time,
            ).order_by(*table.primary_key.columns)
        ).all()

    def _parts(self, table: Table) -> Mapping[int, tuple[int, ...]]:
        """Lots per model in config order, by place; zeros where there is no row."""
        return lots_by_place(self._rows(table), len(self._models))

    def _signals(self) -> tuple[Signals, ...]:
        rows: defaultdict[int, list[SignalRow]] = defaultdict(list)
        for row in self._rows(schema.signal_rows):
            rows[row.place].append(
                SignalRow(row.symbol, row.weight, row.confidence, row.action, row.reason)
            )
        return tuple(
            Signals(
                self._portfolio,
                one.model,
                one.version,
                self._close_time,
                tuple(rows[one.place]),
                one.state,
                one.bars_id,
            )
            for one in self._rows(schema.signals)
        )

    def _decision(self, close: Row[Any]) -> Decision:
        parts = self._parts(schema.cross_parts)
        return Decision(
            portfolio=self._portfolio,
            account=close.account,
            close_time=self._close_time,
            equity=close.engine_equity,
            gross_exposure=close.gross_exposure,
            drawdown_factor=close.drawdown_factor,
            halted=close.halted,
            reduce_only=close.reduce_only,
            orders=self._orders(),
            cancels=tuple(Cancel(r.order_id, r.symbol) for r in self._rows(schema.cancels)),
            crosses=tuple(
                Cross(r.symbol, parts[r.place], r.price) for r in self._rows(schema.crosses)
            ),
            symbols=tuple(
                SymbolDecision(r.symbol, r.outcome, r.stages, r.target_lots, r.weight_reasons)
                for r in self._rows(schema.symbol_decisions)
            ),
            cut=self._cut(close),
            value_at_risk=next(
                (
                    ValueAtRisk(
                        r.as_of,
                        r.horizon_days,
                        r.var_95,
                        r.cvar_95,
                        r.simulations,
                        r.seed,
                        r.factor,
                    )
                    for r in self._rows(schema.value_at_risk)
                ),
                None,
            ),
        )

    def _orders(self) -> tuple[ApprovedOrder, ...]:
        parts = self._parts(schema.order_parts)
        return tuple(
            ApprovedOrder(
                r.order_id,
                r.symbol,
                r.lots,
                parts[r.place],
                r.reference_price,
                r.decided_at,
                r.expires_at,
            )
            for r in self._rows(schema.orders)
        )

    def _cut(self, close: Row[Any]) -> Cut:
        used: dict[str, dict[str, str]] = {"bars": {}, "signals": {}}
        for row in self._rows(schema.decision_inputs):
            used[row.noun][row.name] = row.message_id
        return Cut(
            used["bars"],
            used["signals"],
            close.fills_sequence,
            close.commands_sequence,
            close.multipliers,
        )

    def _events(self, fills: Mapping[int, Row[Any]]) -> tuple[FillEvent, ...]:
        return tuple(
            FillEvent(
                kind=row.kind,
                order_id=row.order_id,
                symbol=row.symbol,
                epoch=row.epoch,
                known_time=row.known_time,
                text=row.text,
                **_execution(fills.get(row.place)),
            )
            for row in self._rows(schema.order_events)
        )


def lots_by_place(rows: Iterable[Row[Any]], models: int) -> Mapping[int, tuple[int, ...]]:
    """Lots per model in config order by the rows' place."""
    lots: defaultdict[int, list[int]] = defaultdict(lambda: [0] * models)
    for row in rows:
        lots[row.place][row.model_place] = row.lots
    frozen: defaultdict[int, tuple[int, ...]] = defaultdict(lambda: (0,) * models)
    frozen.update({place: tuple(parts) for place, parts in lots.items()})
    return frozen


def _execution(fill: Row[Any] | None) -> dict[str, Any]:
    if fill is None:
        return {}
    names = ("execution_id", "lots", "price", "commission", "slippage", "fill_time")
    return {name: getattr(fill, name) for name in names}
