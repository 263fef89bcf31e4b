"""A start verifies what the newest chapter added and nothing before it, so that it takes no longer
in the tenth year than in the first; the whole verification finds the rest.
"""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from stratvector.runtime.simulation.fate import CrashPlan
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.services.ledger.adapters.database import Damaged, LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.services.ledger.adapters.tables import DERIVED
from stratvector.services.ledger.adapters.verification import verify_later
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import finished_record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 2, closes=12))).entries
KEY = Key.of(ENTRIES[0])
BEGINS = ENTRIES[6].close_time  # the last close before the newest chapter
CHANGED = "UPDATE {table} SET {column} = {value} WHERE close_time = {close}"
EARLIER = ENTRIES[3].close_time
LATER = ENTRIES[9].close_time


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_record(tmp_path_factory.mktemp("finished"), ENTRIES)


def edited(finished: Path, folder: Path, *statements: str) -> LedgerDatabase:
    """A copy that somebody has changed, without the seal that would tell."""
    shutil.copy(finished, folder / "ledger.db")
    with sqlite3.connect(folder / "ledger.db") as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    connection.close()
    return LedgerDatabase(f"sqlite:///{folder / 'ledger.db'}")


def start(database: LedgerDatabase, after: int | None = BEGINS) -> None:
    asyncio.run(SqlLedgerStore(database).verify(KEY.run, KEY.portfolio, after))


def changed(table: str, column: str, value: str, close: int) -> str:
    return CHANGED.format(table=table, column=column, value=value, close=close)


def test_only_the_closes_of_the_newest_chapter_are_verified(finished: Path) -> None:
    database = LedgerDatabase(f"sqlite:///{finished}")
    with database.snapshot() as connection:
        newest = verify_later(connection, KEY, BEGINS)
        whole = verify_later(connection, KEY, None)
    assert newest.passed
    assert [one.closes for one in newest.records] == [len(ENTRIES) - 7]
    assert [one.closes for one in whole.records] == [len(ENTRIES)]
    assert newest.records[0].chain_hash == whole.records[0].chain_hash
    assert 0 < newest.rows < whole.rows == database.verify().rows
    database.close()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("payloads", "payload", "x'00'"),
        ("payloads", "chain_hash", "'0'"),
        ("closes", "cash", "'1'"),
    ],
)
def test_what_is_before_the_chapter_is_left_to_the_whole_verification(
    finished: Path, tmp_path: Path, table: str, column: str, value: str
) -> None:
    database = edited(finished, tmp_path, changed(table, column, value, EARLIER))
    start(database)
    found = database.verify()
    assert not found.passed
    assert {one.table for one in found.findings} >= {table}
    with pytest.raises(Damaged):
        start(database, None)
    database.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (changed("payloads", "payload", "x'00'", LATER), "the payload can't be read"),
        (changed("payloads", "chain_hash", "'0'", LATER), "chain_hash does not follow"),
        (changed("payloads", "payload_hash", "'0'", LATER), "does not have its payload_hash"),
        (changed("payloads", "payload", "x'00'", BEGINS), "the payload can't be read"),
        (changed("payloads", "chain_hash", "'0'", BEGINS), "chain_hash does not follow"),
        (f"DELETE FROM payloads WHERE close_time = {BEGINS}", "the row is missing"),
        (f"DELETE FROM payloads WHERE close_time = {LATER}", "belongs to no payload"),
        ("DELETE FROM watermarks", "the row is missing"),
    ],
)
def test_what_the_chapter_added_or_rests_on_is_verified(
    finished: Path, tmp_path: Path, statement: str, told: str
) -> None:
    database = edited(finished, tmp_path, statement)
    with database.snapshot() as connection:
        found = verify_later(connection, KEY, BEGINS)
    assert told in "\n".join(map(str, found.findings))
    with pytest.raises(Damaged, match="is not as it was recorded"):
        start(database)
    database.close()


def test_a_row_of_the_chapter_that_is_gone_is_missed_in_every_table(
    finished: Path, tmp_path: Path
) -> None:
    for table in DERIVED:
        with sqlite3.connect(finished) as connection:
            (count,) = connection.execute(
                f"SELECT count(*) FROM {table.name} WHERE close_time > {BEGINS}"
            ).fetchone()
        connection.close()
        if not count:
            continue
        statement = f"DELETE FROM {table.name} WHERE close_time > {BEGINS}"
        database = edited(finished, tmp_path, statement)
        with pytest.raises(Damaged, match="not as it was recorded"):
            start(database)
        database.close()


def test_a_sealed_file_that_was_changed_is_found_wherever_it_was(
    finished: Path, tmp_path: Path
) -> None:
    """Once somebody writes, nobody could tell any more that it was not the file that was sealed."""
    shutil.copy(finished.with_name("ledger.db.seal"), tmp_path / "ledger.db.seal")
    database = edited(finished, tmp_path, changed("closes", "cash", "'1'", EARLIER))
    with pytest.raises(Damaged, match="its SHA-256 is another"):
        start(database)
    database.close()


def test_tables_that_are_behind_are_no_damage(finished: Path, tmp_path: Path) -> None:
    """After a kill they are derived beside the work, and not before it."""
    gone = [f"DELETE FROM {table.name} WHERE close_time >= {BEGINS}" for table in DERIVED]
    behind = f"UPDATE watermarks SET close_time = {ENTRIES[5].close_time}"
    shutil.copy(finished, tmp_path / "ledger.db")
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        for statement in (*gone, behind):
            connection.execute(statement)
    connection.close()
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    start(database)
    assert database.verify().passed
    database.close()


def test_an_heir_verifies_from_the_newest_chapter_that_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begins: list[int | None] = []

    async def noted(self: MemoryLedgerStore, run: str, portfolio: str, after: int | None) -> None:
        begins.append(after)

    monkeypatch.setattr(MemoryLedgerStore, "verify", noted)
    crash = CrashPlan("ledger", "store commit", 10, "after")
    run_flow(generated_session(1, Shape(2, 2, 2, closes=12)), plans=[crash], closes_per_chapter=4)
    assert begins == [None, ENTRIES[7].close_time]
