"""Why: the entries that an explanation is read off, and decisions that ended without an order."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, func, select

from stratvector.services.ledger.adapters import tables
from stratvector.services.ledger.adapters.payloads import stored_entry
from stratvector.services.ledger.adapters.queries import AnySelect, Closes, within
from stratvector.services.ledger.adapters.schema import Key, own
from stratvector.services.ledger.portfolio_chapters import PortfolioChapters
from stratvector.trading.explanation import Explanation, explain
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_answers import RejectionRecord, Rejections
from stratvector.trading.nearest import suggestion
from stratvector.trading.reasons import REJECTED, Outcome
from stratvector.trading.timestamps import utc_text

ORDER_PREFIX_MIN = 8
CLOSES_OF_SYMBOL_MAX = 1_000


class NotRecorded(LookupError):
    """The record holds no such order or symbol; the message is one sentence."""


class Reasons:
    """Reads one portfolio over one connection. chapters : as each of them describes it."""

    def __init__(self, connection: Connection, chapters: PortfolioChapters) -> None:
        self._connection, self._chapters = connection, chapters
        self._portfolio = chapters.first
        self._key = Key.of_portfolio(chapters.first)

    def of_order(self, order_id: str) -> Explanation:
        """Why an order was sent. order_id : whole, or its beginning, in letters of either case.
        Raises NotRecorded.
        """
        table = tables.orders
        # An id is a UUID, recorded in lower case; SQLite's LIKE ignores case, PostgreSQL's doesn't.
        known_as = order_id.lower()
        whole = table.c.order_id == known_as
        if len(order_id) >= ORDER_PREFIX_MIN:
            whole = whole | table.c.order_id.startswith(known_as, autoescape=True)
        found = self._connection.execute(
            select(table).where(own(table, self._key), whole).limit(2)
        ).all()
        if not found:
            raise NotRecorded(f"there is no order {order_id!r}")
        if len(found) > 1:
            raise NotRecorded(f"more than one order begins with {order_id!r}")
        return self._explained(found[0].close_time, found[0].symbol, found[0].order_id)

    def of_symbol(self, symbol: str, at: int | None) -> Explanation:
        """Why the newest decision up to a time (ns UTC) was what it was. Raises NotRecorded."""
        known = tuple(self._chapters.instruments)
        if symbol not in known:
            hint = suggestion(symbol, known)
            raise NotRecorded(f"the portfolio has no symbol {symbol!r}: {hint}")
        table = tables.symbol_decisions
        statement = self._of_symbol(select(func.max(table.c.close_time)), symbol).where(
            table.c.outcome != Outcome.NOT_PLANNED
        )
        close_time = self._connection.scalar(within(statement, table, Closes(end=at)))
        if close_time is None:
            until = "" if at is None else f" up to {utc_text(at)}"
            raise NotRecorded(f"nothing was decided about {symbol}{until}")
        order = self._connection.scalar(
            self._of_symbol(select(tables.orders.c.order_id), symbol, tables.orders).where(
                tables.orders.c.close_time == close_time
            )
        )
        return self._explained(close_time, symbol, order)

    def rejections(self, closes: Closes, reason: Outcome | None, symbol: str) -> Rejections:
        """Decisions without an order: by reason and symbol, or each close of one symbol."""
        table = tables.symbol_decisions
        reasons = REJECTED if reason is None else (reason,)
        times = table.c.close_time
        columns = [func.count().label("count"), func.min(times).label("first")]
        statement = (
            select(table.c.outcome, table.c.symbol, *columns, func.max(times).label("last"))
            .where(own(table, self._key), table.c.outcome.in_(reasons))
            .group_by(table.c.outcome, table.c.symbol)
            .order_by(func.count().desc(), table.c.symbol, table.c.outcome)
        )
        if symbol:
            statement = statement.where(table.c.symbol == symbol)
        statement = within(statement, table, closes)
        total = sum(row.count for row in self._records(statement))
        if symbol:
            statement = statement.group_by(times).order_by(None)
            statement = statement.order_by(times.desc()).limit(CLOSES_OF_SYMBOL_MAX)
        records = self._records(statement)
        return Rejections(tuple(reversed(records) if symbol else records), total)

    def _records(self, statement: AnySelect) -> Sequence[RejectionRecord]:
        return [RejectionRecord(*row) for row in self._connection.execute(statement)]

    def _of_symbol(
        self, statement: AnySelect, symbol: str, table: Table = tables.symbol_decisions
    ) -> AnySelect:
        return statement.where(own(table, self._key), table.c.symbol == symbol)

    def _explained(self, close_time: int, symbol: str, order_id: str | None) -> Explanation:
        later = [] if order_id is None else [self._entry(at) for at in self._events(order_id)]
        entry = self._entry(close_time)
        return explain(self._chapters.at(entry), entry, symbol, later)

    def _events(self, order_id: str) -> Sequence[int]:
        """The closes at which something is recorded of an order."""
        table = tables.order_events
        return self._connection.scalars(
            select(table.c.close_time)
            .where(own(table, self._key), table.c.order_id == order_id)
            .distinct()
            .order_by(table.c.close_time)
        ).all()

    def _entry(self, close_time: int) -> LedgerEntry:
        entry = stored_entry(self._connection, self._key, close_time)
        if entry is None:
            raise NotRecorded(f"the close of {utc_text(close_time)} has no payload")
        return entry
