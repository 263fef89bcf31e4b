"""The questions: reads of one record's committed closes, newest state included.

Pages go by key, never by offset: a page is what follows the row that the page before ended with,
so that closes which are committed meanwhile move nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    func,
    select,
    tuple_,
)

from stratvector.services.ledger.adapters import tables
from stratvector.services.ledger.adapters.payloads import chain_hash_at, stored_entry
from stratvector.services.ledger.adapters.schema import CLOSE, KEY, Key, own
from stratvector.trading.ledger_answers import (
    AccountCash,
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
RowKey = tuple[int, ...]
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
    after: RowKey = ()
    newest_first: bool = False


@dataclass(frozen=True)
class Found(Generic[Record]):
    """A page of records; `last` is the key of its last row, empty when no more follow."""

    records: tuple[Record, ...]
    last: RowKey = ()


class Ledger:
    """Reads one record over one connection."""

    def __init__(self, connection: Connection, key: Key) -> None:
        self.connection = self._connection = connection
        self._key = key

    def status(self) -> LedgerStatus:
        """How far the record has come."""
        closes = tables.closes
        times = closes.c.close_time
        count, first, last = self._one(
            select(func.count(), func.min(times), func.max(times)), closes
        )
        money = select(closes.c.cash, closes.c.equity).where(times == last)
        newest = self._rows(money, closes)
        counted = (tables.signals, tables.orders, tables.fills)
        signals, orders, fills = [self._one(select(func.count()), t)[0] for t in counted]
        cash, equity = newest[0] if newest else (None, None)
        head = chain_hash_at(self._connection, self._key, last)
        of, counts = self._key, (signals, orders, fills)
        return LedgerStatus(
            of.portfolio, count, first, last, cash, equity, *counts, head, run=of.run
        )

    def orders(self, closes: Closes, page: Page) -> Found[OrderRecord]:
        """Approved orders by decision, with what has become of them since."""
        table = tables.orders
        rows, last = self._page(_with_cause(table), table, closes, page)
        parts = self._parts(tables.order_parts, rows)
        filled, events = self._events([row.order_id for row in rows])
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
        table = tables.fills
        rows, last = self._page(select(table), table, closes, page)
        parts = self._parts(tables.fill_parts, rows)
        names = [one.name for one in fields(FillRecord) if one.name != "parts"]
        return Found(
            tuple(
                FillRecord(
                    **{name: getattr(row, name) for name in names},
                    parts=parts[row.close_time, row.place],
                )
                for row in rows
            ),
            last,
        )

    def equity(self, closes: Closes, page: Page) -> Found[EquityRecord]:
        """The account after each close."""
        table = tables.closes
        rows, last = self._page(select(table), table, closes, page)
        models: defaultdict[int, list[ModelEquity]] = defaultdict(list)
        for share in self._accounts(_span(rows)):
            models[share.close_time].append(
                ModelEquity(share.model, share.cash, share.commission, share.equity)
            )
        accounts: defaultdict[int, list[AccountCash]] = defaultdict(list)
        for one in self._account_cash(_span(rows)):
            accounts[one.close_time].append(AccountCash(one.account, one.cash))
        shared = ("models", "accounts")
        names = [one.name for one in fields(EquityRecord) if one.name not in shared]
        return Found(
            tuple(
                EquityRecord(
                    **{name: getattr(row, name) for name in names},
                    models=tuple(models[row.close_time]),
                    accounts=tuple(accounts[row.close_time]),
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
        entry = stored_entry(self._connection, self._key, close_time)
        assert entry is not None  # its rows are derived from it
        symbols = {*entry.positions, *(s for model in entry.models for s in model.positions)}
        return HeldPositions(
            close_time,
            tuple(
                PositionRecord(
                    symbol,
                    entry.positions.get(symbol, 0),
                    {m.model: m.positions[symbol] for m in entry.models if symbol in m.positions},
                )
                for symbol in sorted(symbols)
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
    ) -> tuple[Sequence[AnyRow], RowKey]:
        """Rows of a range after a key, and the key of the last if more follow."""
        key = [column for column in table.primary_key.columns if column.name not in KEY]
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

    def _events(self, orders: Sequence[str]) -> tuple[Counter[str], dict[str, AnyRow]]:
        """Lots filled, and the newest event, by order."""
        event, fill = tables.order_events, tables.fills
        filled: Counter[str] = Counter()
        for row in self._rows(select(fill).where(fill.c.order_id.in_(orders)), fill):
            filled[row.order_id] += row.lots
        statement = select(event).where(event.c.order_id.in_(orders))
        told = self._rows(statement.order_by(*event.primary_key.columns), event)
        return filled, {row.order_id: row for row in told}

    def _parts(self, table: Table, rows: Sequence[AnyRow]) -> Mapping[Place, dict[str, int]]:
        """Lots per model in config order, by close and place, of the closes of some rows."""
        statement = within(select(table), table, _span(rows))
        parts: defaultdict[Place, dict[str, int]] = defaultdict(dict)
        for row in self._rows(statement.order_by(*table.primary_key.columns), table):
            parts[row.close_time, row.place][row.model] = row.lots
        return parts

    def _fills_by_model(self, closes: Closes) -> Counter[str]:
        parts = tables.fill_parts
        statement = within(select(parts.c.model, func.count().label("fills")), parts, closes)
        rows = self._rows(statement.group_by(parts.c.model), parts)
        return Counter({row.model: row.fills for row in rows})

    def _accounts(self, closes: Closes) -> Sequence[AnyRow]:
        """The models' accounts in config order, close by close."""
        return self._in_order(tables.model_accounts, closes)

    def _account_cash(self, closes: Closes) -> Sequence[AnyRow]:
        """The cash of broker accounts by name, close by close."""
        return self._in_order(tables.account_cash, closes)

    def _in_order(self, table: Table, closes: Closes) -> Sequence[AnyRow]:
        key = table.primary_key.columns
        return self._rows(within(select(table), table, closes).order_by(*key), table)

    def _newest(self, closes: Closes) -> int | None:
        """The newest close of a range."""
        table = tables.closes
        newest: int | None = self._one(
            within(select(func.max(table.c.close_time)), table, closes), table
        )[0]
        return newest

    def _one(self, statement: AnySelect, table: Table) -> AnyRow:
        return self._connection.execute(self._own(statement, table)).one()

    def _rows(self, statement: AnySelect, table: Table) -> Sequence[AnyRow]:
        return self._connection.execute(self._own(statement, table)).all()

    def _own(self, statement: AnySelect, table: Table) -> AnySelect:
        return statement.where(own(table, self._key))


def _with_cause(orders: Table) -> AnySelect:
    """Orders with what their decision says of the symbol, and of the portfolio."""
    decided, closed = tables.symbol_decisions, tables.closes
    return (
        select(orders, decided.c.stages, decided.c.weight_reasons, closed.c.halted)
        .join(decided, _same(decided, orders, *CLOSE, "symbol"))
        .join(closed, _same(closed, orders, *CLOSE))
    )


def _same(one: Table, other: Table, *names: str) -> ColumnElement[bool]:
    return and_(*[one.c[name] == other.c[name] for name in names])


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
