"""A database of its own for each test: in a file, and on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.services.ledger.adapters.database import LedgerDatabase
from tests.sessions.postgresql_server import PostgresqlServer, postgresql, remove_postgresql
from tests.sessions.recorded_ledger import SERVERS, new_database, new_database_on


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresqlServer]:
    yield postgresql()
    remove_postgresql()


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerDatabase]:
    """On each kind of database in turn, with the newest schema."""
    if request.param == "sqlite":
        opened = new_database(tmp_path)
    else:
        opened = new_database_on(request.getfixturevalue("server"))
    yield opened
    opened.close()


@pytest.fixture
def file_database(tmp_path: Path) -> Iterator[LedgerDatabase]:
    """SQLite's, for what only a file has."""
    opened = new_database(tmp_path)
    yield opened
    opened.close()
