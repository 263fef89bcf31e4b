"""A ledger's database that nobody has open, such as a finished session's: asked, never changed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, select, text

from stratvector.services.ledger.adapters import migrating
from stratvector.services.ledger.adapters.adopting import may_adopt
from stratvector.services.ledger.adapters.database import (
    LedgerDatabase,
    WithoutHashes,
    revision_of,
)
from stratvector.services.ledger.adapters.deriving import insert_rows, is_behind
from stratvector.services.ledger.adapters.migrating import BEFORE_PAYLOADS, EARLIER
from stratvector.services.ledger.adapters.payloads import last_close
from stratvector.services.ledger.adapters.schema import Key, payloads
from stratvector.services.ledger.adapters.verification import verify
from stratvector.trading.ledger_verification import Verification

ROWS_AT_ONCE = 256


class RestingDatabase(LedgerDatabase):
    """Nothing of it is made or changed, not even beside the file.

    Where its tables lack closes, as after a kill, or are of an earlier version, they are derived in
    a copy of the payloads that lives until `close`.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, at_rest=True)
        self._lock = threading.Lock()
        self._folder: TemporaryDirectory[str] | None = None
        self._copy: LedgerDatabase | None = None

    @contextmanager
    def asked(self, key: Key) -> Iterator[Connection]:
        """One state that tells every close. Raises BadDatabase."""
        with self.errors_told(), self.snapshot() as connection:
            revision = revision_of(connection)
            if revision is not None:
                self.refuse_unknown(revision)
            if revision in BEFORE_PAYLOADS:
                raise WithoutHashes(self.shown)
            is_there = revision not in EARLIER and not may_adopt(connection, key)
            if is_there and not is_behind(connection, key):
                yield connection
                return
            copy = self._copied(connection, key)
        copy.adopt(key)
        with copy.asked(key) as connection:
            yield connection

    def close(self) -> None:
        """The copy goes, too."""
        super().close()
        self._drop_copy()

    def _verified(self, connection: Connection, broken: str, sealed: bool) -> Verification:
        """Tables of an earlier version are asked no more; what they were made of is verified."""
        if revision_of(connection) not in EARLIER:
            return super()._verified(connection, broken, sealed)
        with self._copied(connection, None).snapshot() as copy:
            return verify(copy, broken, sealed, file=connection)

    def _copied(self, connection: Connection, key: Key | None) -> LedgerDatabase:
        """The copy; made anew where somebody has written since."""
        with self._lock:
            if self._copy is None or (key is not None and self._lacks(connection, key)):
                self._drop_copy()
                self._folder = TemporaryDirectory(prefix="ledger-")
                self._copy = _copy_of(connection, Path(self._folder.name))
            return self._copy

    def _lacks(self, connection: Connection, key: Key) -> bool:
        assert self._copy is not None
        if revision_of(connection) in EARLIER:
            return False  # who writes brings it to the newest version first
        with self._copy.snapshot() as copy:
            return last_close(copy, key) != last_close(connection, key)

    def _drop_copy(self) -> None:
        if self._copy is not None:
            self._copy.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._copy = self._folder = None


def _copy_of(connection: Connection, folder: Path) -> LedgerDatabase:
    copy = LedgerDatabase(f"sqlite:///{folder / 'ledger.db'}")
    copy.prepare()
    statement: Any = select(payloads)
    match revision_of(connection):
        case migrating.BEFORE_DERIVING:
            statement = text(
                "SELECT name, '', close_time, payload, payload_hash, chain_hash "
                "FROM payloads LEFT JOIN portfolios USING (portfolio_id)"
            )
        case migrating.BEFORE_RUNS:
            statement = text(
                "SELECT portfolio, '', close_time, payload, payload_hash, chain_hash FROM payloads"
            )
    with copy.errors_told(), copy.writer.begin() as there:
        for rows in connection.execute(statement).partitions(ROWS_AT_ONCE):
            insert_rows(there, payloads, [tuple(row) for row in rows])
    return copy
