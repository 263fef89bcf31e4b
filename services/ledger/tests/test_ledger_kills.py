"""kill -9: whatever the moment, closes are in the database whole or not at all, none is missing."""

import pickle
import random
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.trading.ledger import same_entry
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import new_database, stored
from tests.sessions.simulated_flow import run_flow

CLOSES_A_LIFE_MAX = 30
WRITER = """
import asyncio, pickle, sys
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore

async def main(folder):
    with open(f"{folder}/entries", "rb") as file:
        entries = pickle.load(file)
    database = LedgerDatabase(f"sqlite:///{folder}/ledger.db")
    database.prepare()
    store = SqlLedgerStore(database, linger_seconds=0.0, group_closes_max=3)
    last = await store.last_close(entries[0].run, entries[0].portfolio)
    writing = asyncio.create_task(store.write())
    for entry in entries:
        if last is None or entry.close_time >= last:
            await store.commit(entry)
            print("taken", flush=True)
    await store.close()
    await writing

asyncio.run(main(sys.argv[1]))
"""


def test_a_writer_that_is_killed_again_and_again_leaves_whole_closes_and_ends_complete(
    tmp_path: Path,
) -> None:
    entries = run_flow(generated_session(3, Shape(2, 3, 3, closes=45))).entries
    (tmp_path / "entries").write_bytes(pickle.dumps(entries))
    lives, counts = random.Random(7), [0]
    while _killed_after(tmp_path, lives.randint(4, CLOSES_A_LIFE_MAX)):
        database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
        counts.append(_whole_closes(database))
        newest = entries[counts[-1] - 1]
        kept = stored(database, Key.of(newest), newest.close_time)
        assert kept is not None
        assert same_entry(kept, newest)
        database.close()
    assert len(counts) > 3
    assert counts == sorted(counts)
    database = new_database(tmp_path)
    assert _whole_closes(database) == len(entries)
    for entry in entries:
        kept = stored(database, Key.of(entry), entry.close_time)
        assert kept is not None
        assert same_entry(kept, entry)
    database.close()


def _killed_after(folder: Path, closes: int) -> bool:
    """Kill a process that writes, once it has taken so many closes; False when it was done before.

    At most three closes are on their way, so that what it took before them is in the database.
    """
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        taken = [process.stdout.readline() for _ in range(closes)]
        if "" in taken:
            assert process.wait() == 0
            return False
        process.kill()
        return True


def _whole_closes(database: LedgerDatabase) -> int:
    """How many closes there are; the tables that are asked end at a close, and tell it whole."""
    with database.reader.begin() as connection:
        closes = connection.scalar(text("SELECT count(*) FROM payloads"))
    found = database.verify()
    assert found.passed, found.sentence()
    assert found.closes == closes
    return int(closes or 0)
