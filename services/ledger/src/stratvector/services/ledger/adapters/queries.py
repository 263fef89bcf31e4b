"""The questions: reads of one portfolio's committed closes, newest state included.

Pages go by key, never by offset: a page is what follows the row that the page before ended with,
so that closes which are committed meanwhile move nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, Select, Table, func, select, tuple_

from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.stored_entry import (
    chain_head,
    held_at,
    portfolio_number,
)
from stratvector.trading.fills import FillKind
from stratvector.trading.ledger_answers import (
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelEquity,
    ModelResult,
    OrderRecord,
    PositionRecord,
)
from stratvector.trading.order_causes import deciding_stage, reason_of

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]
Record = TypeVar("Record")
Key = tuple[int, ...]
Place = tuple[int, int]


@dataclass(frozen=True)
class Closes:
    """A range of close times, both ends included; None is open."""

    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Page:
    """Which records are wanted: at most `size`, after the row with the key `after`.

    newest_first : in the order against time, in which "after" is earlier.
    """

    size: int
    after: Key = ()
    newest_first: bool = False


@dataclass(frozen=True)
class Found(Generic[Record]):
    """A page of records; `last` is the key of its last row, empty when no more follow."""

    records: tuple[Record, ...]
    last: Key = ()


class Ledger:
    """Reads one portfolio over one connection."""

    def __init__(self, connection: Connection, portfolio: str) -> None:
        self.connection = self._connection = connection
        self._portfolio = portfolio
        number = connection.scalar(select(portfolio_number(portfolio)))
        self._number = -1 if number is None else number  # no row has it

    def status(self) -> LedgerStatus:
        """How far the record has come."""
        closes = schema.closes
        times = closes.c.close_time
        count, first, last = self._one(
            select(func.count(), func.min(times), func.max(times)), closes
        )
        money = select(closes.c.cash, closes.c.equity).where(times == last)
        newest = self._rows(money, closes)
        counted = (schema.signals, schema.orders, schema.fills)
        signals, orders, fills = [self._one(select(func.count()), t)[0] for t in counted]
        cash, equity = newest[0] if newest else (None, None)
        head = chain_head(self._connection, self._portfolio)
        return LedgerStatus(
            self._portfolio, count, first, last, cash, equity, signals, orders, fills, head
        )

    def orders(self, closes: Closes, page: Page) -> Found[OrderRecord]:
        """Approved orders by decision, with what has become of them since."""
        table = schema.orders
        rows, last = self._page(_with_cause(_with_symbol(table), table), table, closes, page)
        parts = self._parts(schema.order_parts, rows)
        filled, events = self._events(row.order_id for row in rows)
        return Found(
            tuple(
                OrderRecord(
                    close_time=row.close_time,
                    order_id=row.order_id,
                    symbol=row.symbol,
                    lots=row.lots,
                    parts=parts[row.close_time, row.place],
                    reference_price=row.reference_price,
                    expires_at=row.expires_at,
                    filled_lots=filled[row.order_id],
                    last_event=events[row.order_id].kind if row.order_id in events else None,
                    text=events[row.order_id].text if row.order_id in events else "",
                    reason=reason_of(row.weight_reasons, row.halted),
                    stage=deciding_stage(row.stages),
                )
                for row in rows
            ),
            last,
        )

    def fills(self, closes: Closes, page: Page) -> Found[FillRecord]:
        """Executions in the order in which they became known."""
        table, event = schema.fills, schema.order_events
        same = [table.c[name] == event.c[name] for name in (*schema.CLOSE, "place")]
        statement = (
            select(table, event.c.order_id, event.c.known_time, schema.symbols.c.name)
            .join(event, same[0] & same[1] & same[2])
            .join(schema.symbols, schema.symbols.c.symbol_id == event.c.symbol_id)
        )
        rows, last = self._page(statement, table, closes, page)
        parts = self._parts(schema.fill_parts, rows)
        return Found(
            tuple(
                FillRecord(
                    close_time=row.close_time,
                    execution_id=row.execution_id,
                    order_id=row.order_id,
                    symbol=row.name,
                    lots=row.lots,
                    parts=parts[row.close_time, row.place],
                    price=row.price,
                    commission=row.commission,
                    slippage=row.slippage,
                    fill_time=row.fill_time,
                    known_time=row.known_time,
                )
                for row in rows
            ),
            last,
        )

    def equity(self, closes: Closes, page: Page) -> Found[EquityRecord]:
        """The account after each close."""
        table = schema.closes
        rows, last = self._page(select(table), table, closes, page)
        models: defaultdict[int, list[ModelEquity]] = defaultdict(list)
        for share in self._accounts(_span(rows)):
            models[share.close_time].append(
                ModelEquity(share.model, share.cash, share.commission, share.equity)
            )
        return Found(
            tuple(
                EquityRecord(
                    close_time=row.close_time,
                    cash=row.cash,
                    equity=row.equity,
                    engine_equity=row.engine_equity,
                    gross_exposure=row.gross_exposure,
                    drawdown_factor=row.drawdown_factor,
                    halted=row.halted,
                    reduce_only=row.reduce_only,
                    models=tuple(models[row.close_time]),
                )
                for row in rows
            ),
            last,
        )

    def positions(self, at: int | None) -> HeldPositions:
        """What is held after the newest close at or before a time, None = the newest of all."""
        close_time = self._newest(Closes(end=at))
        if close_time is None:
            return HeldPositions(None, ())
        held = held_at(self._connection, self._portfolio, close_time)
        symbols = sorted({*held.whole, *(s for lots in held.models.values() for s in lots)})
        order = [share.model for share in self._accounts(Closes(close_time, close_time))]
        return HeldPositions(
            close_time,
            tuple(
                PositionRecord(
                    symbol,
                    held.whole.get(symbol, 0),
                    {m: held.models[m][symbol] for m in order if symbol in held.models.get(m, {})},
                )
                for symbol in symbols
            ),
        )

    def attribution(self, closes: Closes) -> tuple[ModelResult, ...]:
        """What each model has earned and paid over a range."""
        last = self._newest(closes)
        if last is None:
            return ()
        before: dict[str, AnyRow] = {}
        if closes.start is not None:
            earlier = self._newest(Closes(end=closes.start - 1))
            if earlier is not None:
                before = {a.model: a for a in self._accounts(Closes(earlier, earlier))}
        fills = self._fills_by_model(closes)
        return tuple(
            ModelResult(
                after.model,
                after.equity - _money(before, after.model, "equity"),
                after.commission - _money(before, after.model, "commission"),
                fills[after.model],
            )
            for after in self._accounts(Closes(last, last))
        )

    def _page(
        self, statement: AnySelect, table: Table, closes: Closes, page: Page
    ) -> tuple[Sequence[AnyRow], Key]:
        """Rows of a range after a key, and the key of the last if more follow."""
        key = [column for column in table.primary_key.columns if column.name != "portfolio_id"]
        if page.after:
            here, there = tuple_(*key), tuple_(*page.after)
            statement = statement.where(here < there if page.newest_first else here > there)
        order = [column.desc() if page.newest_first else column for column in key]
        statement = within(statement, table, closes).order_by(*order).limit(page.size + 1)
        rows = self._rows(statement, table)
        if len(rows) <= page.size:
            return rows, ()
        last = rows[page.size - 1]
        return rows[: page.size], tuple(getattr(last, column.name) for column in key)

    def _events(self, orders: Iterable[str]) -> tuple[Counter[str], dict[str, AnyRow]]:
        """Lots filled, and the newest event, by order."""
        event, fill = schema.order_events, schema.fills
        same = [fill.c[name] == event.c[name] for name in (*schema.CLOSE, "place")]
        statement = (
            select(event.c.order_id, event.c.kind, event.c.text, fill.c.lots)
            .outerjoin(fill, same[0] & same[1] & same[2])
            .where(event.c.order_id.in_(list(orders)))
            .order_by(event.c.close_time, event.c.place)
        )
        filled: Counter[str] = Counter()
        newest: dict[str, AnyRow] = {}
        for row in self._rows(statement, event):
            if row.kind is FillKind.FILLED:
                filled[row.order_id] += row.lots
            newest[row.order_id] = row
        return filled, newest

    def _parts(self, table: Table, rows: Sequence[AnyRow]) -> Mapping[Place, dict[str, int]]:
        """Lots per model in config order, by close and place, of the closes of some rows."""
        statement = _with_model(table, table.c.close_time, table.c.place, table.c.lots)
        statement = within(statement, table, _span(rows))
        parts: defaultdict[Place, dict[str, int]] = defaultdict(dict)
        for row in self._rows(statement.order_by(*table.primary_key.columns), table):
            parts[row.close_time, row.place][row.model] = row.lots
        return parts

    def _fills_by_model(self, closes: Closes) -> Counter[str]:
        parts = schema.fill_parts
        statement = within(_with_model(parts, func.count().label("fills")), parts, closes)
        rows = self._rows(statement.group_by(schema.models.c.name), parts)
        return Counter({row.model: row.fills for row in rows})

    def _accounts(self, closes: Closes) -> Sequence[AnyRow]:
        """The models' accounts in config order, close by close."""
        table = schema.model_accounts
        statement = select(table, schema.models.c.name.label("model")).join(
            schema.models, schema.models.c.model_id == table.c.model_id
        )
        key = table.primary_key.columns
        return self._rows(within(statement, table, closes).order_by(*key), table)

    def _newest(self, closes: Closes) -> int | None:
        """The newest close of a range."""
        table = schema.closes
        newest: int | None = self._one(
            within(select(func.max(table.c.close_time)), table, closes), table
        )[0]
        return newest

    def _one(self, statement: AnySelect, table: Table) -> AnyRow:
        return self._connection.execute(self._own(statement, table)).one()

    def _rows(self, statement: AnySelect, table: Table) -> Sequence[AnyRow]:
        return self._connection.execute(self._own(statement, table)).all()

    def _own(self, statement: AnySelect, table: Table) -> AnySelect:
        return statement.where(table.c.portfolio_id == self._number)


def _with_symbol(table: Table) -> AnySelect:
    symbols = schema.symbols
    joined = symbols.c.symbol_id == table.c.symbol_id
    return select(table, symbols.c.name.label("symbol")).join(symbols, joined)


def _with_cause(statement: AnySelect, table: Table) -> AnySelect:
    """Orders with what their decision says of the symbol, and of the portfolio."""
    decided, closed = schema.symbol_decisions, schema.closes
    same = [decided.c[name] == table.c[name] for name in (*schema.CLOSE, "symbol_id")]
    at = [closed.c[name] == table.c[name] for name in schema.CLOSE]
    return (
        statement.add_columns(decided.c.stages, decided.c.weight_reasons, closed.c.halted)
        .join(decided, same[0] & same[1] & same[2])
        .join(closed, at[0] & at[1])
    )


def _with_model(table: Table, *columns: Any) -> AnySelect:
    """Columns of parts with the name of the model that has their place at their close."""
    accounts, models = schema.model_accounts, schema.models
    key = (*schema.CLOSE, "model_place")
    same = [accounts.c[name] == table.c[name] for name in key]
    return (
        select(*columns, models.c.name.label("model"))
        .select_from(table)
        .join(accounts, same[0] & same[1] & same[2])
        .join(models, models.c.model_id == accounts.c.model_id)
    )


def within(statement: AnySelect, table: Table, closes: Closes) -> AnySelect:
    """A statement about the closes of a range only."""
    if closes.start is not None:
        statement = statement.where(table.c.close_time >= closes.start)
    if closes.end is not None:
        statement = statement.where(table.c.close_time <= closes.end)
    return statement


def _span(rows: Sequence[AnyRow]) -> Closes:
    """From the first to the last close of rows in either order; nothing where there are none."""
    if not rows:
        return Closes(0, -1)
    return Closes(*sorted((rows[0].close_time, rows[-1].close_time)))


def _money(accounts: Mapping[str, AnyRow], model: str, name: str) -> Decimal:
    money: Decimal = getattr(accounts[model], name) if model in accounts else Decimal(0)
    return money
