"""Groups of closes into the database, each group one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

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
from stratvector.services.ledger.adapters.stored_form import Insert
from stratvector.trading.ledger import LedgerEntry


@dataclass(frozen=True)
class _Newest:
    """A portfolio's newest close: when, what was held after it, and the chain's hash."""

    close_time: int | None
    held: Held
    chain_hash: str


class LedgerWriter:
    """The writing end of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        tables = schema.metadata.sorted_tables
        self._inserts = [(table, Insert(connection, table)) for table in tables]
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
        self._newest: dict[str, _Newest] = {}

    def _write(self, entries: Sequence[LedgerEntry]) -> None:
        group = RowsOfCloses(self._names)
        newest = {name: self._read_newest(name) for name in {e.portfolio for e in entries}}
        for entry in entries:
            before = newest[entry.portfolio]
            if before.close_time is not None and entry.close_time <= before.close_time:
                self._compare(entry)
                continue
            group.add(entry, before.held)
            payload = payload_row(encode_ledger_entry(entry), entry, before.chain_hash)
            group.put(schema.payloads, **payload)
            newest[entry.portfolio] = _Newest(
                entry.close_time, Held.after(entry), payload["chain_hash"]
            )
        for table, insert in self._inserts:
            if table in group.rows:
                insert(group.rows[table])
        self._newest |= newest

    def _read_newest(self, portfolio: str) -> _Newest:
        """From memory, unless this writer is not the last that wrote."""
        close_time = last_close(self._connection, portfolio)
        remembered = self._newest.get(portfolio)
        if remembered is not None and remembered.close_time == close_time:
            return remembered
        if close_time is None:
            return _Newest(None, Held(), "")
        held = held_at(self._connection, portfolio, close_time)
        return _Newest(close_time, held, chain_head(self._connection, portfolio))

    def _compare(self, entry: LedgerEntry) -> None:
        stored = stored_text(self._connection, entry.portfolio, entry.close_time)
        if stored != encode_ledger_entry(entry):
            raise LedgerConflict(entry.portfolio, entry.close_time)
