"""Records of before runs were kept get their run from whoever continues them.

Until schema 0005 a database held one run per portfolio and did not say which. A payload can't be
searched for it: its order ids are hashes over the run. But they prove it: the run that makes the
record's first order id is the record's. A record without any order proves nothing, and is taken by
the first run of its portfolio; there the newest close, which is compared again, tells a wrong one.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, delete, select, update

from stratvector.services.ledger.adapters.payloads import document_of, inflated, last_close
from stratvector.services.ledger.adapters.schema import (
    UNKNOWN_RUN,
    Key,
    own,
    payloads,
    watermarks,
)
from stratvector.services.ledger.adapters.tables import DERIVED, Document
from stratvector.trading.identity import order_id

ROWS_AT_ONCE = 64


def may_adopt(connection: Connection, key: Key) -> bool:
    """Whether a record without a run waits under the portfolio of one that has no close yet."""
    unknown = key._replace(run=UNKNOWN_RUN)
    return last_close(connection, key) is None and last_close(connection, unknown) is not None


def adopt(connection: Connection, key: Key) -> None:
    """Give a record that waits its run, if it is this one, within the connection's transaction.

    What was derived of it is derived anew. Raises BadPayload.
    """
    unknown = key._replace(run=UNKNOWN_RUN)
    if not may_adopt(connection, key) or not _is_of(connection, unknown, key.run):
        return
    for table in (watermarks, *DERIVED):
        connection.execute(delete(table).where(own(table, unknown)))
    connection.execute(update(payloads).where(own(payloads, unknown)).values(run=key.run))


def _is_of(connection: Connection, key: Key, run: str) -> bool:
    """Whether a record's first order has the id that it has in a run; without orders, it may be."""
    for entry in _entries(connection, key):
        decision = entry["decision"]
        for order in decision["orders"]:
            # Records without a run are of portfolios of one account.
            account = decision.get("account") or next(iter(entry["accounts"]))
            leg = (key.portfolio, account, order["symbol"], entry["close_time"])
            return bool(order["order_id"] == order_id(run, *leg))
    return True


def _entries(connection: Connection, key: Key) -> Iterator[Document]:
    statement = select(payloads.c.payload).where(own(payloads, key))
    found = connection.execute(statement.order_by(payloads.c.close_time))
    for rows in found.partitions(ROWS_AT_ONCE):
        yield from (document_of(inflated(row.payload)) for row in rows)
