"""The schema: made by migrations, the one that the code expects, and refused when it is another."""

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.database import (
    LedgerDatabase,
    UnknownRevision,
    Unusable,
)
from stratvector.services.ledger.adapters.migrating import (
    NEWEST_REVISION,
    VERSION_TABLE,
    configuration,
)


def test_an_empty_file_becomes_the_schema_that_the_code_expects(tmp_path: Path) -> None:
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.prepare()
    with database.writer.connect() as connection:
        names = set(inspect(connection).get_table_names())
        assert names == {VERSION_TABLE, *schema.metadata.tables}
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    assert revision == NEWEST_REVISION
    database.close()


def test_the_newest_revision_is_the_last_script() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [NEWEST_REVISION]


def test_a_database_is_prepared_again_without_a_change(database: LedgerDatabase) -> None:
    database.prepare()
    with database.writer.connect() as connection:
        count = connection.scalar(text(f"SELECT count(*) FROM {VERSION_TABLE}"))
    assert count == 1


def test_instances_that_start_together_prepare_a_database_once(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
        try:
            database.prepare()
        except Exception as error:  # noqa: BLE001  the test tells it
            errors.append(error)
        database.close()

    threads = [threading.Thread(target=start) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_revision_that_this_version_does_not_know_is_refused(database: LedgerDatabase) -> None:
    with database.writer.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))
    with pytest.raises(UnknownRevision, match=r"revision '0099'.*newest is '0006'.*newer version"):
        database.prepare()


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    database = LedgerDatabase(f"sqlite:///{path}")
    with pytest.raises(Unusable, match="it is no ledger's, it holds tables songs"):
        database.prepare()
    with database.reader.connect() as connection:
        assert inspect(connection).get_table_names() == ["songs"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("closes,equity\n" * 100)
    with pytest.raises(Unusable, match="file is not a database"):
        LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}").prepare()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "it is no URL such as sqlite:"),
        ("ledger.db", "it is no URL such as sqlite:"),
        ("sqlite://", "a ledger in memory is no record"),
        ("sqlite:///:memory:", "a ledger in memory is no record"),
        ("sqlite:////nowhere/at/all/ledger.db", "there is no folder /nowhere/at/all"),
        ("oracle+nothing://host/ledger", "it is neither SQLite nor PostgreSQL"),
        ("postgresql+asyncpg9://u:secret@host/ledger", "its driver is not installed"),
    ],
)
def test_a_database_that_can_not_be_is_refused_in_one_sentence(url: str, said: str) -> None:
    with pytest.raises(Unusable) as refusal:
        LedgerDatabase(url)
    assert said in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_who_reads_can_not_write(database: LedgerDatabase) -> None:
    with (
        pytest.raises(Unusable, match=r"readonly|read-only transaction"),
        database.errors_told(),
        database.reader.begin() as connection,
    ):
        connection.execute(text("INSERT INTO watermarks VALUES ('main', 'replay.1', 1)"))


def test_a_query_that_still_runs_at_the_close_leaves_no_log_of_the_database_behind(
    tmp_path: Path,
) -> None:
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.prepare()
    asking, closing = threading.Event(), threading.Event()

    def ask() -> None:
        with database.reader.begin() as connection:
            connection.scalar(text(f"SELECT count(*) FROM {VERSION_TABLE}"))
            asking.set()
            closing.wait(10.0)

    query = threading.Thread(target=ask)
    query.start()
    assert asking.wait(10.0)
    timer = threading.Timer(0.3, closing.set)
    timer.start()
    database.close()
    query.join()
    timer.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.db", "ledger.db.seal"]
