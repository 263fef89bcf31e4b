"""Groups of closes into the record, each group one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from stratvector.contracts.codecs import decode_ledger_entry, encode_ledger_entry
from stratvector.runtime.ports import LedgerConflict
from stratvector.services.ledger.adapters.deriving import insert_rows
from stratvector.services.ledger.adapters.payloads import (
    chain_hash_at,
    last_close,
    payload_row,
    stored_text,
)
from stratvector.services.ledger.adapters.postgresql import WRITING, lock
from stratvector.services.ledger.adapters.schema import Key, payloads
from stratvector.trading.ledger import LedgerEntry, same_entry


class _Newest(NamedTuple):
    """A record's newest close, and the chain's hash after it."""

    close_time: int | None
    chain_hash: str


def write(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    """Write closes, all or none; what is there already must be the same, so that a group whose
    commit nobody answered is simply written again. Raises LedgerConflict.
    """
    with connection.begin():
        newest = {}
        for key in sorted({Key.of(entry) for entry in entries}):
            lock(connection, WRITING, key)
            newest[key] = _newest(connection, key)
        rows = []
        for entry in entries:
            last, chain = newest[Key.of(entry)]
            if last is not None and entry.close_time <= last:
                _compare(connection, entry)
                continue
            row = payload_row(entry, chain)
            rows.append(row)
            newest[Key.of(entry)] = _Newest(entry.close_time, str(row[-1]))
        if rows:
            insert_rows(connection, payloads, rows)


def _newest(connection: Connection, key: Key) -> _Newest:
    close_time = last_close(connection, key)
    return _Newest(close_time, chain_hash_at(connection, key, close_time))


def _compare(connection: Connection, entry: LedgerEntry) -> None:
    text = stored_text(connection, Key.of(entry), entry.close_time)
    if text == encode_ledger_entry(entry):
        return
    kept = None if text is None else decode_ledger_entry(text)
    # What was written before runs were kept names none, and says the same without it.
    if (
        kept is None
        or not Key.of(entry).has(kept)
        or not same_entry(replace(kept, run=entry.run), entry)
    ):
        raise LedgerConflict(entry.portfolio, entry.close_time, entry.run)
