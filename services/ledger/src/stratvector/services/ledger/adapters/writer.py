"""Groups of closes into the database, each group one transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.runtime.ports import LedgerConflict
from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.names import Names
from stratvector.services.ledger.adapters.payloads import payload_row
from stratvector.services.ledger.adapters.rows import Held, RowsOfCloses
from stratvector.services.ledger.adapters.stored_entry import (
    chain_head,
    held_at,
    last_close,
    stored_text,
)
from stratvector.trading.ledger import LedgerEntry

INSERTS = tuple((table, insert(table)) for table in schema.metadata.sorted_tables)


class LedgerWriter:
    """The writing end of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._forget()

    def write(self, entries: Sequence[LedgerEntry]) -> None:
        """Write closes, all or none; what is there already must be the same.

        Raises LedgerConflict.
        """
        try:
            with self._connection.begin():
                self._write(entries)
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """What a transaction that failed has learned is not so."""
        self._names = Names(self._connection)
        self._held: dict[str, tuple[int | None, Held]] = {}

    def _write(self, entries: Sequence[LedgerEntry]) -> None:
        group = RowsOfCloses(self._names)
        newest: dict[str, int | None] = {}
        heads: dict[str, str] = {}
        for entry in entries:
            portfolio = entry.portfolio
            if portfolio not in newest:
                newest[portfolio] = last_close(self._connection, portfolio)
                heads[portfolio] = chain_head(self._connection, portfolio)
            last = newest[portfolio]
            if last is not None and entry.close_time <= last:
                self._compare(entry)
                continue
            group.add(entry, self._held_after(portfolio, last))
            payload = payload_row(encode_ledger_entry(entry), entry, heads[portfolio])
            group.put(schema.payloads, **payload)
            heads[portfolio] = payload["chain_hash"]
            newest[portfolio] = entry.close_time
            self._held[portfolio] = (entry.close_time, Held.after(entry))
        for table, statement in INSERTS:
            if table in group.rows:
                self._connection.execute(statement, group.rows[table])

    def _held_after(self, portfolio: str, close_time: int | None) -> Held:
        """The positions before the next close; from the database when this writer is not the last
        that wrote.
        """
        remembered, held = self._held.get(portfolio, (None, Held()))
        if close_time is None or remembered == close_time:
            return held
        return held_at(self._connection, portfolio, close_time)

    def _compare(self, entry: LedgerEntry) -> None:
        stored = stored_text(self._connection, entry.portfolio, entry.close_time)
        if stored != encode_ledger_entry(entry):
            raise LedgerConflict(entry.portfolio, entry.close_time)
