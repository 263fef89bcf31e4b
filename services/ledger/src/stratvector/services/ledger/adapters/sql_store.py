"""The ledger's store on SQL: closes are committed in groups, by a thread beside the event loop.

    commit, commit, … ─▶ pending ─▶ write: one transaction for all that is pending ─▶ last_close
                                      └─▶ nothing comes: tables that are asked, derived

A group is what arrived while the group before it was on its way to the disk, so its size follows
the load. A close is in the database whole or not at all, and never without those before it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from stratvector.runtime.ports import LedgerConflict
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.deriving import BATCH_CLOSES, derive
from stratvector.services.ledger.adapters.payloads import last_close
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.writer import write
from stratvector.trading.ledger import LedgerEntry

GROUP_CLOSES_MAX = 256
LINGER_SECONDS = 0.1
IDLE_SECONDS = 0.5
# So many closes are derived within two seconds, which a stop takes at most.
BEHIND_CLOSES_MAX = 4_096
LAST_DERIVING_SECONDS = 2.0


class SqlLedgerStore:
    """Speaks `ports.LedgerStore`; `write` runs beside the one who commits.

    linger_seconds : how long a group waits for more closes. group_closes_max : how many closes may
    wait; the next commit waits until there is room. on_written : told on a thread of each group
    that is in the database. behind_closes_max : how many closes the tables that are asked may be
    behind while closes keep coming.
    """

    def __init__(
        self,
        database: LedgerDatabase,
        linger_seconds: float = LINGER_SECONDS,
        group_closes_max: int = GROUP_CLOSES_MAX,
        on_written: Callable[[Sequence[LedgerEntry]], None] | None = None,
        behind_closes_max: int = BEHIND_CLOSES_MAX,
    ) -> None:
        self._database = database
        self._linger_seconds = linger_seconds
        self._group_closes_max = group_closes_max
        self._on_written = on_written
        self._behind_closes_max = behind_closes_max
        self._behind: dict[Key, int] = {}  # closes that may not be derived yet
        self._pending: list[LedgerEntry] = []
        self._conflicts: dict[Key, LedgerConflict] = {}
        self._changed = asyncio.Condition()
        self._closed = False
        self._ended = False
        self._failure: Exception | None = None

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The newest close of a portfolio in a run that is in the database, or None. Raises
        BadDatabase.
        """
        key = Key(portfolio, run)
        newest = await asyncio.to_thread(self._read_last_close, key)
        self._behind.setdefault(key, 0)  # who wrote before may have been killed
        return newest

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Hold the closes later than one, None for all, against their proofs, and the file against
        its seal. What is before is left to `LedgerDatabase.verify`. Raises BadDatabase.
        """
        await asyncio.to_thread(self._database.refuse_damage, Key(portfolio, run), after)

    async def commit(self, entry: LedgerEntry) -> None:
        """Take one close; `write` makes it durable, after all that were committed before it.

        Raises what ended `write`, or LedgerConflict for a record that is another one.
        """
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._refuse_to_go_on(Key.of(entry))
            self._pending.append(entry)
            self._changed.notify_all()

    async def written(self, run: str, portfolio: str) -> None:
        """Wait until everything that was committed of a record is in the database.

        Raises what ended `write`, or LedgerConflict.
        """
        key = Key(portfolio, run)
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended or not self._waits(key))
            if self._waits(key) or key in self._conflicts:
                self._refuse_to_go_on(key)

    async def close(self) -> None:
        """Say that nothing more is committed: `write` ends when all is in the database."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def write(self) -> None:
        """Write until `close`; when cancelled, what was committed is written first.

        A record that is another one in the database is told to who commits to it, and holds up no
        other. Raises BadDatabase.
        """
        try:
            with self._database.errors_told(), self._database.writer.connect() as connection:
                await self._write(connection)
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()

    async def _write(self, connection: Connection) -> None:
        try:
            while self._pending or not self._closed:
                await self._wait()
                if self._pending:
                    group = await self._next_group()
                    await _whole(asyncio.to_thread(self._write_group, connection, group))
                    async with self._changed:
                        self._changed.notify_all()
                elif self._behind:
                    await _whole(asyncio.to_thread(self._derive_batch, connection))
            await _whole(asyncio.to_thread(self._derive_rest, connection))
        except asyncio.CancelledError:
            await _whole(asyncio.to_thread(self._write_group, connection, list(self._pending)))
            await _whole(asyncio.to_thread(self._derive_rest, connection, LAST_DERIVING_SECONDS))
            raise

    def _write_group(self, connection: Connection, group: list[LedgerEntry]) -> None:
        """On a thread; meanwhile others are only added behind the group."""
        self._database.unseal()
        taken, group = len(group), self._written_of(connection, group)
        del self._pending[:taken]
        for entry in group:
            self._behind[Key.of(entry)] = self._behind.get(Key.of(entry), 0) + 1
        if self._on_written is not None:
            self._on_written(group)
        while sum(self._behind.values()) > self._behind_closes_max:
            self._derive_batch(connection)

    def _written_of(self, connection: Connection, group: list[LedgerEntry]) -> list[LedgerEntry]:
        """What of a group is in the database then: all but records that conflict."""
        while True:
            group = [entry for entry in group if Key.of(entry) not in self._conflicts]
            try:
                write(connection, group)
            except LedgerConflict as error:
                self._conflicts[Key(error.portfolio, error.run)] = error
                continue
            return group

    def _derive_batch(self, connection: Connection) -> None:
        """Some closes of one record, on a thread."""
        # Portfolios may begin meanwhile.
        key, closes = next(iter(self._behind.copy().items()))
        if derive(connection, key) < BATCH_CLOSES:
            del self._behind[key]
        else:
            self._behind[key] = max(closes - BATCH_CLOSES, 0)

    def _derive_rest(self, connection: Connection, seconds: float = float("inf")) -> None:
        """All that is left, or as much as the time allows: what is not derived now is when somebody
        asks.
        """
        ends_at = time.monotonic() + seconds
        while self._behind and time.monotonic() < ends_at:
            self._derive_batch(connection)

    async def _wait(self) -> None:
        """Until closes wait to be written, nothing follows, or there is time to derive."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS if self._behind else None), self._changed:
                await self._changed.wait_for(lambda: self._pending or self._closed)

    async def _next_group(self) -> list[LedgerEntry]:
        """All that is pending, after a while."""
        if not self._closed and len(self._pending) < self._group_closes_max:
            await asyncio.sleep(self._linger_seconds)
        return list(self._pending)

    def _waits(self, key: Key) -> bool:
        return any(Key.of(entry) == key for entry in self._pending)

    def _refuse_to_go_on(self, key: Key) -> None:
        if key in self._conflicts:
            raise self._conflicts[key]
        if self._ended:
            raise self._failure or RuntimeError("the ledger's writer has ended")

    def _has_room(self) -> bool:
        return self._ended or len(self._pending) < self._group_closes_max

    def _read_last_close(self, key: Key) -> int | None:
        self._database.adopt(key)
        with self._database.errors_told(), self._database.reader.connect() as connection:
            return last_close(connection, key)


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a thread's work also when cancelled: its connection must not be closed under it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
