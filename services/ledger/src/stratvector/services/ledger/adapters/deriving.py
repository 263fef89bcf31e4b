"""The tables that are asked, filled from payloads: in batches, up to a watermark.

    payloads after the watermark ─▶ texts ─▶ rows ─┐
                                        watermark ─┴─▶ one transaction

Nothing else writes these tables, so they can be thrown away and derived anew.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, delete, insert, select

from stratvector.services.ledger.adapters.payloads import (
    document_of,
    inflated,
    last_close,
    stored_text,
)
from stratvector.services.ledger.adapters.postgresql import DERIVING, lock
from stratvector.services.ledger.adapters.schema import Key, metadata, own, payloads, watermarks
from stratvector.services.ledger.adapters.tables import DERIVED, Close, Row, rows_of

BATCH_CLOSES = 64
FIRST = -(2**63)


def watermark(connection: Connection, key: Key) -> int | None:
    """The close up to which a record's tables are derived, None before the first."""
    at: int | None = connection.scalar(select(watermarks.c.close_time).where(own(watermarks, key)))
    return at


def is_behind(connection: Connection, key: Key) -> bool:
    """Whether there are closes that the tables don't tell yet."""
    return last_close(connection, key) != watermark(connection, key)


def derive(connection: Connection, key: Key) -> int:
    """Derive the next closes of a record, at most a batch, in one transaction; how many they were.

    Raises BadPayload.
    """
    with connection.begin():
        lock(connection, DERIVING, key)
        after = watermark(connection, key)
        waiting = _payloads_after(connection, key, after)
        if not waiting:
            return 0
        text = None if after is None else stored_text(connection, key, after)
        before = None if text is None else document_of(text)
        rows: defaultdict[Table, list[Row]] = defaultdict(list)
        for payload in waiting:
            entry = document_of(inflated(payload))
            for table, found in rows_of(Close(key, entry, before)):
                rows[table] += found
            before = entry
        for table, found in rows.items():
            insert_rows(connection, table, found)
        connection.execute(delete(watermarks).where(own(watermarks, key)))
        assert before is not None
        insert_rows(connection, watermarks, [(*key, before["close_time"])])
        return len(waiting)


def forget(connection: Connection) -> None:
    """Throw away all that is derived and make the tables anew, as they are defined now."""
    metadata.drop_all(connection, [*DERIVED, watermarks])
    metadata.create_all(connection, [*DERIVED, watermarks])


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Add rows with values in the order of the table's columns, as the driver takes them."""
    statement, positional = _statement(table, connection.dialect)
    values: list[Any] = list(rows)
    if not positional:
        names = table.c.keys()
        values = [dict(zip(names, row, strict=True)) for row in rows]
    connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=128)
def _statement(table: Table, dialect: Dialect) -> tuple[str, bool]:
    """One table's INSERT: per row the toolkit costs more than the database."""
    compiled = insert(table).compile(dialect=dialect)
    return str(compiled), bool(compiled.positional)


def _payloads_after(connection: Connection, key: Key, after: int | None) -> Sequence[bytes]:
    times = payloads.c.close_time
    return connection.scalars(
        select(payloads.c.payload)
        .where(own(payloads, key), times > (FIRST if after is None else after))
        .order_by(times)
        .limit(BATCH_CLOSES)
    ).all()
