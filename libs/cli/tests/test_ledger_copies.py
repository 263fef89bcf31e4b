"""The ledger's database on PostgreSQL, copied, and put back into an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.cli.tests.test_archive_command import flow
from stratvector.cli.backup.ledger_proof import proven_closes
from stratvector.cli.backup.ledgers import Ledger
from stratvector.cli.backup.manifest import LedgerCopy
from stratvector.cli.failures import CommandFailed
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION
from stratvector.services.ledger.adapters.schema import Key
from tests.sessions.postgresql_server import PostgresqlServer, postgresql
from tests.sessions.recorded_ledger import new_database_on, record
from tests.sessions.simulated_flow import Flow

__all__ = ["flow"]  # the fixture


@pytest.fixture
def server() -> PostgresqlServer:
    return postgresql()


@pytest.fixture
def full(server: PostgresqlServer, flow: Flow) -> str:
    """The address of a database with a whole record, its questions' tables derived."""
    database = new_database_on(server)
    record(database, flow.entries)
    database.derive(Key.of(flow.entries[0]))
    database.close()
    return database.shown


def ledger_at(server: PostgresqlServer, url: str) -> Ledger:
    return Ledger(url, server.password_file)


def assert_proven(server: PostgresqlServer, url: str, flow: Flow) -> None:
    database = LedgerDatabase(url, password_file=server.password_file)
    assert database.verify().passed
    database.dispose()
    assert proven_closes(ledger_at(server, url).payloads()) == len(flow.entries)


def test_a_copy_becomes_an_equal_database_where_nothing_is_prepared(
    server: PostgresqlServer, full: str, flow: Flow, tmp_path: Path
) -> None:
    copy = ledger_at(server, full).copy(tmp_path)
    key = Key.of(flow.entries[0])
    assert (copy.kind, copy.revision) == ("postgresql", NEWEST_REVISION)
    assert copy.records == {f"{key.run}.{key.portfolio}": flow.entries[-1].close_time}
    target = server.new_database()
    there = ledger_at(server, target)
    assert not there.is_there_already(tmp_path, copy)
    there.put_back(tmp_path, copy)
    assert there.is_there_already(tmp_path, copy)
    assert_proven(server, target, flow)
    assert collations(server, target) == collations(server, full)
    assert "C" in collations(server, target)
    again = tmp_path / "again"
    again.mkdir()
    assert there.copy(again) == copy
    for file in (tmp_path / "ledger").iterdir():
        assert (again / "ledger" / file.name).read_bytes() == file.read_bytes()


def collations(server: PostgresqlServer, url: str) -> list[str]:
    """Of each column of text, ordered by its place."""
    found = server.sql(
        "SELECT collation_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type IN ('text', 'character varying') ORDER BY table_name, ordinal_position",
        url.rpartition("/")[2],
    )
    return found.splitlines()


def test_a_database_that_a_ledger_has_prepared_is_taken_and_one_with_rows_is_not(
    server: PostgresqlServer, full: str, flow: Flow, tmp_path: Path
) -> None:
    copy = ledger_at(server, full).copy(tmp_path)
    prepared = new_database_on(server)
    prepared.close()
    there = ledger_at(server, prepared.shown)
    assert not there.is_there_already(tmp_path, copy)
    there.put_back(tmp_path, copy)
    assert_proven(server, prepared.shown, flow)
    name = prepared.shown.rpartition("/")[2]
    server.sql("CREATE TABLE guests (name text)", name)
    with pytest.raises(CommandFailed, match="table guests is there and is not in the backup"):
        there.is_there_already(tmp_path, copy)
    server.sql("DROP TABLE guests", name)
    server.sql("UPDATE watermarks SET close_time = close_time - 1", name)
    with pytest.raises(CommandFailed, match=r"table \w+ holds rows; name a database that is empty"):
        there.is_there_already(tmp_path, copy)


def test_a_put_back_that_fails_leaves_the_database_as_it_was(
    server: PostgresqlServer, full: str, tmp_path: Path
) -> None:
    copy = ledger_at(server, full).copy(tmp_path)
    file = tmp_path / "ledger" / "watermarks.copy"
    file.write_bytes(file.read_bytes()[:-3])
    target = server.new_database()
    with pytest.raises(CommandFailed, match="--database postgresql://"):
        ledger_at(server, target).put_back(tmp_path, copy)
    assert (
        server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", target_of(target))
        == "0"
    )


def target_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_somebody_elses_tables_are_left_alone(server: PostgresqlServer, tmp_path: Path) -> None:
    target = server.new_database()
    server.sql("CREATE TABLE guests (name text)", target_of(target))
    copy = LedgerCopy("postgresql", NEWEST_REVISION, {})
    there = ledger_at(server, target)
    with pytest.raises(CommandFailed, match="it is no ledger's"):
        there.is_there_already(tmp_path, copy)
    with pytest.raises(CommandFailed, match="it is no ledger's"):
        there.copy(tmp_path)


def test_a_wrong_password_is_a_sentence_that_does_not_show_it(
    server: PostgresqlServer, full: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("something secret\n")
    with pytest.raises(CommandFailed, match="password authentication failed") as told:
        Ledger(full, wrong).copy(tmp_path)
    assert "something secret" not in str(told.value)
