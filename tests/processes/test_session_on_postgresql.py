"""A whole session whose ledger writes to a real PostgreSQL server, which is stopped, crashes and
comes back, while owners of the ledger are killed: its books are the backtest's.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from stratvector.cli.platform.session_run import refuse_damage
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry, same_entry
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.orders import Decision
from stratvector.trading.parity import check
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.postgresql_server import PostgresqlServer
from tests.sessions.process_flow import ProcessFlow, Running, kill, run_processes
from tests.sessions.recorded_ledger import on_server, stored

SESSION = generated_session(31, Shape(universes=2, symbols=2, models=3, closes=600))
CLOSES_PER_S = 30
LOOK_SECONDS = 0.05
AWAY = "waiting for the ledger database"


@dataclass
class Books:
    """What the database holds after the session."""

    entries: list[LedgerEntry]
    verification: Verification

    @property
    def decisions(self) -> list[Decision]:
        return [entry.decision for entry in self.entries]

    @property
    def events(self) -> list[FillEvent]:
        return [event for entry in self.entries for event in entry.events]


@dataclass
class Seen:
    """closes : how many the database had before and after each time that it was away. decided : how
    much of the session was decided when it went, and before it came back. epochs : of the ledger's
    lane, before and after each kill.
    """

    closes: list[tuple[int, int]] = field(default_factory=list)
    decided: list[tuple[float, float]] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Played:
    """The session as its log tells it, and as the database does."""

    flow: ProcessFlow
    books: Books
    seen: Seen


class Disturbance:
    """Ends the server and owners of the ledger while closes are written."""

    def __init__(self, server: PostgresqlServer, url: str, seen: Seen) -> None:
        self._server, self._database, self._seen = server, url.rpartition("/")[2], seen

    async def __call__(self, run: Running) -> None:
        await self._until_recording()
        await self._away(run, signal.SIGINT)
        await self._until_more(await self._closes())
        await self._kill_owner(run)
        await self._until_more(await self._closes())
        await self._away(run, signal.SIGQUIT, kills=True)
        assert await run.fraction() < 0.9, "the session was to go on after the last crash"

    async def _until_recording(self) -> None:
        """Until a ledger has prepared the database and written closes."""
        while not await self._sql("SELECT to_regclass('payloads')"):
            await asyncio.sleep(LOOK_SECONDS)
        await self._until_more(0)

    async def _away(self, run: Running, number: int, kills: bool = False) -> None:
        """Without the server for a while, on which no decision waits. kills : the owner, too."""
        before, decided = await self._closes(), await run.fraction()
        await asyncio.to_thread(self._server.stop, number)
        await self._until_waiting(run)
        if kills:
            await self._kill_owner(run)
            await self._until_waiting(run)
        back = await run.reach(decided + 0.08)
        self._server.start()
        await asyncio.to_thread(self._server.answer)
        self._seen.closes.append((before, await self._until_more(before)))
        self._seen.decided.append((decided, back))

    async def _kill_owner(self, run: Running) -> None:
        before = await run.owner("ledger")
        kill(before.pid)
        after = await run.new_owner("ledger", before)
        self._seen.epochs.append((before.epoch, after.epoch))

    async def _until_waiting(self, run: Running) -> None:
        """Until a ledger says on its page that it waits for the database."""
        while True:
            found = await run.platform.readiness()
            ledgers = [one for name, one in found.items() if name.startswith("ledger")]
            if any(one.reason.startswith(AWAY) for one in ledgers):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _until_more(self, count: int) -> int:
        while (now := await self._closes()) <= count:
            await asyncio.sleep(LOOK_SECONDS)
        return now

    async def _closes(self) -> int:
        return int(await self._sql("SELECT count(*) FROM payloads"))

    async def _sql(self, statement: str) -> str:
        return await asyncio.to_thread(self._server.sql, statement, self._database)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    server, seen = PostgresqlServer(), Seen()
    try:
        server.start()
        server.answer()
        url = server.new_database()
        settings = {
            "STRATVECTOR_LEDGER_DATABASE_URL": url,
            "STRATVECTOR_LEDGER_DATABASE_PASSWORD_FILE": str(server.password_file),
            "STRATVECTOR_MARKET_DATA_CLOSES_PER_S_MAX": str(CLOSES_PER_S),
        }
        folder = tmp_path_factory.mktemp("session")
        disturb = Disturbance(server, url, seen)
        flow = run_processes(folder, SESSION, {"ledger": 2}, disturb, settings)
        assert not (folder / "session" / "ledger.db").exists()
        yield Played(flow, books(on_server(server, url)), seen)
    finally:
        server.remove()


def books(database: LedgerDatabase) -> Books:
    times = SESSION.schedule.close_times
    key = Key.of_portfolio(SESSION.portfolio)
    entries = [stored(database, key, close_time) for close_time in times]
    found = database.verify()
    database.close()
    return Books([entry for entry in entries if entry is not None], found)


def test_the_books_hold_every_entry_of_the_log_once(played: Played) -> None:
    entries, found = played.flow.entries, played.books.verification
    assert found.passed, found.sentence()
    assert found.closes == len(entries) == len(SESSION.schedule)
    assert len(played.books.entries) == len(entries)
    for kept, entry in zip(played.books.entries, entries, strict=True):
        assert same_entry(kept, entry)
    refuse_damage(played.flow.log, found)


def test_the_books_are_the_backtests(played: Played) -> None:
    assert_equal_to_backtest(SESSION, played.books)
    assert played.books.events


def test_the_log_is_in_parity(played: Played) -> None:
    log = played.flow.log
    parity = check(log, SESSION, SESSION)
    assert parity.first is None, parity.first
    assert (parity.is_equal, parity.is_complete) == (True, True)


def test_decisions_went_on_while_the_server_was_away_and_every_killed_owner_was_replaced(
    played: Played, say: Callable[[str], None]
) -> None:
    seen = played.seen
    assert all(back > went for went, back in seen.decided)
    assert all(after > before for before, after in seen.closes)
    assert all(after > before for before, after in seen.epochs)
    deaths = [line for line in played.flow.told if line.startswith("ledger")]
    assert [line.partition(";")[0].partition(" ")[2] for line in deaths] == [
        "was ended by SIGKILL",
        "was ended by SIGKILL",
    ]
    away = " and ".join(f"{before:,} to {after:,}" for before, after in seen.closes)
    say(f"PostgreSQL away while it had {away} of {len(played.books.entries):,} closes; all there")
