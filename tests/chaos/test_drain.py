"""A drain in the middle of a session keeps what was committed, in one file."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Running, run_processes


class Enough(Exception):
    """The session goes no further."""


def committed(place: Path) -> int:
    """Closes in the ledger's database."""
    address = f"file:{place / 'ledger.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM payloads").fetchone()[0])


def committed_so_far(place: Path) -> int:
    """Closes in the ledger's database, 0 while the ledger has not made its tables."""
    try:
        return committed(place)
    except sqlite3.OperationalError:
        return 0


def test_a_drain_in_the_middle_of_a_session_leaves_one_file_of_the_ledger(tmp_path: Path) -> None:
    place = tmp_path / "session"

    async def leave(run: Running) -> None:
        await run.reach(0.2)
        while not committed_so_far(place):
            await asyncio.sleep(0.02)
        raise Enough

    with pytest.raises(ExceptionGroup) as stopped:
        run_processes(tmp_path, generated_session(5, Shape(2, 2, 3, closes=1_500)), disturb=leave)
    assert stopped.group_contains(Enough)
    assert len(stopped.value.exceptions) == 1
    names = sorted(path.name for path in place.glob("ledger.db*"))
    assert names == ["ledger.db", "ledger.db.seal"]
    assert committed(place) > 0
