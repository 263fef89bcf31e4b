"""The ledger's store on SQL: closes are committed in groups, by a thread beside the event loop.

    commit, commit, … ─▶ pending ─▶ write: one transaction for all that is pending ─▶ last_close
                                      └─▶ nothing comes: tables that are asked, derived

A group is what arrived while the group before it was on its way to the disk, so its size follows
the load. A close is in the database whole or not at all, and never without those before it.

A server that is away is waited for. A group whose commit it did not confirm is written again: what
is in the database already is compared and left, so it does not matter whether the commit was made.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from stratvector.runtime.ports import LedgerConflict
from stratvector.services.ledger.adapters.database import Away, LedgerDatabase
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
AGAIN_SECONDS = 0.5
Answer = TypeVar("Answer")


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
        self._away = ""
        self._connection: Connection | None = None

    def trouble(self) -> str:
        """Why nothing is written now although it should be; empty when all is well."""
        return f"waiting for the {self._away}" if self._away else ""

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The newest close of a portfolio in a run that is in the database, or None. Raises
        BadDatabase.
        """
        key = Key(portfolio, run)
        newest = await self._patiently(lambda: self._read_last_close(key))
        self._behind.setdefault(key, 0)  # who wrote before may have been killed
        return newest

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Hold the closes later than one, None for all, against their proofs, and the file against
        its seal. What is before is left to `LedgerDatabase.verify`. Raises BadDatabase.
        """
        await self._patiently(lambda: self._database.refuse_damage(Key(portfolio, run), after))

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
        other. A server that is away when it is cancelled is not waited for: the log has the closes.
        Raises BadDatabase.
        """
        try:
            while not await self._write_until_away():
                await asyncio.sleep(AGAIN_SECONDS)
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()

    async def _write_until_away(self) -> bool:
        """Whether all is written that ever was to be; False where the server went away before."""
        try:
            await self._on_thread(self._connect)
            self._away = ""
            await self._write()
        except asyncio.CancelledError:
            with suppress(Away):
                await self._on_thread(self._write_last)
            raise
        except Away as error:
            self._away = str(error)
            return False
        finally:
            await _whole(asyncio.to_thread(self._disconnect))
        return True

    def _connect(self) -> None:
        self._database.be_ready()
        self._connection = self._database.writer.connect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def _write(self) -> None:
        while self._pending or not self._closed:
            await self._wait()
            if self._pending:
                group = await self._next_group()
                await self._on_thread(partial(self._write_group, group))
                async with self._changed:
                    self._changed.notify_all()
            elif self._behind:
                await self._on_thread(self._derive_batch)
        await self._on_thread(self._derive_rest)

    def _write_last(self) -> None:
        """What was committed before the end, and a part of what can be derived later."""
        if self._connection is None and self._pending:
            self._connect()
        if self._connection is not None:
            self._write_group(list(self._pending))
            self._derive_rest(LAST_DERIVING_SECONDS)

    async def _on_thread(self, work: Callable[[], Answer]) -> Answer:
        """On a thread, to its end. Raises BadDatabase."""

        def told() -> Answer:
            with self._database.errors_told():
                return work()

        return await _whole(asyncio.to_thread(told))

    async def _patiently(self, work: Callable[[], Answer]) -> Answer:
        """Asked again as long as the server is away. Raises BadDatabase."""

        def asked() -> Answer:
            self._database.be_ready()
            return work()

        while True:
            try:
                answer = await asyncio.to_thread(asked)
            except Away as error:
                self._away = str(error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._away = ""
                return answer

    def _write_group(self, group: list[LedgerEntry]) -> None:
        """On a thread; meanwhile others are only added behind the group."""
        self._database.unseal()
        taken, group = len(group), self._written_of(group)
        del self._pending[:taken]
        for entry in group:
            self._behind[Key.of(entry)] = self._behind.get(Key.of(entry), 0) + 1
        if self._on_written is not None:
            self._on_written(group)
        while sum(self._behind.values()) > self._behind_closes_max:
            self._derive_batch()

    def _written_of(self, group: list[LedgerEntry]) -> list[LedgerEntry]:
        """What of a group is in the database then: all but records that conflict."""
        while True:
            group = [entry for entry in group if Key.of(entry) not in self._conflicts]
            try:
                write(self._open(), group)
            except LedgerConflict as error:
                self._conflicts[Key(error.portfolio, error.run)] = error
                continue
            return group

    def _derive_batch(self) -> None:
        """Some closes of one record, on a thread."""
        # Portfolios may begin meanwhile.
        key, closes = next(iter(self._behind.copy().items()))
        if derive(self._open(), key) < BATCH_CLOSES:
            del self._behind[key]
        else:
            self._behind[key] = max(closes - BATCH_CLOSES, 0)

    def _derive_rest(self, seconds: float = float("inf")) -> None:
        """All that is left, or as much as the time allows: what is not derived now is when somebody
        asks.
        """
        ends_at = time.monotonic() + seconds
        while self._behind and time.monotonic() < ends_at:
            self._derive_batch()

    def _open(self) -> Connection:
        assert self._connection is not None
        return self._connection

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


async def _whole(work: Coroutine[None, None, Answer]) -> Answer:
    """Wait for a thread's work also when cancelled: its connection must not be closed under it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
