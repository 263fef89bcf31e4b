"""A database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.services.ledger.adapters.database import LedgerDatabase
from tests.sessions.recorded_ledger import new_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[LedgerDatabase]:
    opened = new_database(tmp_path)
    yield opened
    opened.close()
