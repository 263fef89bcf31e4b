"""kill -9: whatever the moment, closes are in the database whole or not at all, none is missing."""

import pickle
import random
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.trading.ledger import same_entry
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import SERVERS, new_database, on_server, stored
from tests.sessions.simulated_flow import run_flow

CLOSES_A_LIFE_MAX = 30
WRITER = """
import asyncio, pickle, sys
from pathlib import Path
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore

async def main(entries, url, password_file=None):
    with open(entries, "rb") as file:
        entries = pickle.load(file)
    database = LedgerDatabase(url, password_file=password_file and Path(password_file))
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

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("kind", SERVERS)
def test_a_writer_that_is_killed_again_and_again_leaves_whole_closes_and_ends_complete(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    entries = run_flow(generated_session(3, Shape(2, 3, 3, closes=45))).entries
    (tmp_path / "entries").write_bytes(pickle.dumps(entries))
    told, opened = [str(tmp_path / "entries")], partial(new_database, tmp_path)
    if kind == "sqlite":
        told += [f"sqlite:///{tmp_path / 'ledger.db'}"]
    else:
        server = request.getfixturevalue("server")
        url = server.new_database()
        told, opened = [*told, url, str(server.password_file)], partial(on_server, server, url)
    lives, counts = random.Random(7), [0]
    while _killed_after(told, lives.randint(4, CLOSES_A_LIFE_MAX)):
        database = opened()
        counts.append(_whole_closes(database))
        newest = entries[counts[-1] - 1]
        kept = stored(database, Key.of(newest), newest.close_time)
        assert kept is not None
        assert same_entry(kept, newest)
        database.close()
    assert len(counts) > 3
    assert counts == sorted(counts)
    database = opened()
    assert _whole_closes(database) == len(entries)
    for entry in entries:
        kept = stored(database, Key.of(entry), entry.close_time)
        assert kept is not None
        assert same_entry(kept, entry)
    database.close()


def _killed_after(told: Sequence[str], closes: int) -> bool:
    """Kill a process that writes, once it has taken so many closes; False when it was done before.

    At most three closes are on their way, so that what it took before them is in the database.
    """
    command = [sys.executable, "-c", WRITER, *told]
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
