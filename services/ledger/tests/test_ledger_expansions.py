"""Expand and contract: a revision that says that earlier versions work on it keeps what they use,
and they do work on it; every other later revision is refused.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, text

from stratvector.services.ledger.adapters.database import LedgerDatabase, UnknownRevision
from stratvector.services.ledger.adapters.migrating import (
    NEWEST_REVISION,
    OF_LATER,
    VERSION_TABLE,
    configuration,
    works_on,
)
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.adapters.schema import Key, metadata
from stratvector.services.ledger.migrate import migrate
from stratvector.services.ledger.settings import LedgerSettings
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.ledger_shapes import FOLDER, broken_by, kept_shape, shape_of, text_of
from tests.sessions.postgresql_server import PostgresqlServer
from tests.sessions.recorded_ledger import new_database, new_database_on, on_server, record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 3, closes=25))).entries
KEY = Key.of(ENTRIES[0])
NEWEST = NEWEST_REVISION[:4]
LATER = f"{int(NEWEST) + 1:04}"
EXPANDED = f"{LATER}_from_{NEWEST}"
Change = Callable[[Operations], object]
ADDED: tuple[Change, ...] = (
    lambda op: op.add_column("payloads", sa.Column("signature", sa.Text)),
    lambda op: op.add_column(
        "payloads", sa.Column("version", sa.Text, nullable=False, server_default="1")
    ),
    lambda op: op.create_table("anchors", sa.Column("anchor", sa.Text, nullable=False)),
    lambda op: op.create_index("payloads_hash", "payloads", ["payload_hash"]),
)


def change(connection: Connection, *changes: Change) -> None:
    """What a revision of a later version does."""
    operations = Operations(MigrationContext.configure(connection))
    for one in changes:
        one(operations)


def expanded(database: LedgerDatabase) -> LedgerDatabase:
    """The same database as a later version leaves it, whose revision only added."""
    with database.writer.begin() as connection:
        change(connection, *ADDED)
    return named(database, EXPANDED)


def named(database: LedgerDatabase, revision: str) -> LedgerDatabase:
    with database.writer.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    return database


@pytest.fixture(scope="module")
def served(server: PostgresqlServer) -> Iterator[LedgerDatabase]:
    """One database, in which nobody commits anything."""
    database = new_database_on(server)
    yield database
    database.close()


def broken_by_changes(database: LedgerDatabase, *changes: Change) -> set[str]:
    with database.writer.connect() as connection:
        change(connection, *changes)
        return set(broken_by(connection, kept_shape(NEWEST)))


def test_what_this_version_uses_is_kept_for_those_that_come(served: LedgerDatabase) -> None:
    with served.writer.connect() as connection:
        used = {name: table.columns.keys() for name, table in metadata.tables.items()}
        told = text_of(shape_of(connection, used))
    assert broken_by_changes(served) == set()
    file = FOLDER / f"{NEWEST}.json"
    assert file.read_text() == told, f"this belongs into {file.name}:\n{told}"


def test_every_revision_keeps_what_the_versions_use_that_it_names(server: PostgresqlServer) -> None:
    scripts = list(ScriptDirectory.from_config(configuration()).walk_revisions())
    for script in scripts:
        if (told := OF_LATER.fullmatch(script.revision)) is None:
            assert script.revision.isdigit(), f"{script.revision} is no name of a revision"
            continue
        database = on_server(server)
        with database.writer.begin() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, script.revision)
            earlier = {one.revision[:4] for one in scripts if told[2] <= one.revision[:4] < told[1]}
            assert told[2] in earlier
            for number in sorted(earlier):
                assert list(broken_by(connection, kept_shape(number))) == [], script.revision
        database.close()


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (lambda op: op.drop_table("fills"), "fills is gone"),
        (lambda op: op.rename_table("payloads", "proofs"), "payloads is gone"),
        (lambda op: op.drop_column("payloads", "chain_hash"), "payloads.chain_hash is gone"),
        (
            lambda op: op.alter_column("payloads", "chain_hash", new_column_name="chain"),
            "payloads.chain_hash is gone",
        ),
        (
            lambda op: op.alter_column("payloads", "chain_hash", type_=sa.String(64)),
            "payloads.chain_hash was TEXT and is VARCHAR(64)",
        ),
        (
            lambda op: op.alter_column("payloads", "chain_hash", nullable=True),
            "payloads.chain_hash may be empty",
        ),
        (
            lambda op: op.add_column("payloads", sa.Column("key", sa.Text, nullable=False)),
            "payloads.key must be filled",
        ),
        (
            lambda op: op.add_column("fills", sa.Column("venue", sa.Text)),
            "fills.venue stays empty in what the version before derives",
        ),
        (
            lambda op: op.create_index("once", "payloads", ["payload_hash"], unique=True),
            "other columns of payloads must be unique",
        ),
        (
            lambda op: op.create_check_constraint("some", "payloads", "close_time > 0"),
            "payloads takes not every row any more",
        ),
    ],
)
def test_what_is_no_expansion_is_found(served: LedgerDatabase, planted: Change, said: str) -> None:
    assert said in broken_by_changes(served, planted)


def test_what_only_adds_is_an_expansion(served: LedgerDatabase) -> None:
    for planted in ADDED:
        assert broken_by_changes(served, planted) == set()


def test_this_version_goes_on_with_a_record_on_a_later_schema_that_only_added(
    database: LedgerDatabase,
) -> None:
    record(database, ENTRIES[:10])
    before = database.verify()
    expanded(database)
    assert database.prepare() == EXPANDED
    assert database.verify() == before
    record(database, ENTRIES[9:])
    found = database.verify()
    assert found.passed, found.sentence()
    assert found.closes == len(ENTRIES)
    with database.asked(KEY) as connection:
        assert connection.scalar(text("SELECT count(*) FROM closes")) == len(ENTRIES)
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == EXPANDED


def test_the_job_of_a_chart_that_was_rolled_back_is_done(server: PostgresqlServer) -> None:
    database = expanded(new_database_on(server))
    database.close()
    settings = LedgerSettings(
        database_url=SecretStr(server.url(database.shown.rpartition("/")[2])),
        database_password_file=server.password_file,
    )
    assert migrate(settings, 0.0) == (database.shown, EXPANDED)


@pytest.mark.parametrize("revision", [LATER, f"{LATER}_from_{LATER}", f"{EXPANDED} "])
def test_every_other_later_schema_is_refused_and_stays_as_it_is(
    database: LedgerDatabase, revision: str
) -> None:
    record(database, ENTRIES[:3])
    named(database, revision)
    for refused in (database.prepare, database.verify):
        with pytest.raises(UnknownRevision, match="run a newer version") as refusal:
            refused()
        assert repr(revision) in str(refusal.value)
    with database.snapshot() as connection:
        assert connection.scalar(text("SELECT count(*) FROM payloads")) == 3


@pytest.mark.parametrize(
    ("revision", "asked"), [(EXPANDED, True), (LATER, False)], ids=["expanded", "other"]
)
def test_a_database_at_rest_is_asked_under_the_same_rule(
    tmp_path: Path, revision: str, asked: bool
) -> None:
    opened = named(new_database(tmp_path), revision)
    record(opened, ENTRIES)
    opened.dispose()
    resting = RestingDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    questions: tuple[Callable[[], object], ...] = (resting.verify, lambda: closes_of(resting))
    for question in questions:
        if asked:
            question()
        else:
            with pytest.raises(UnknownRevision):
                question()
    resting.close()


def closes_of(database: LedgerDatabase) -> int:
    with database.asked(KEY) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM closes")) or 0)


@pytest.mark.parametrize(
    ("revision", "works"),
    [
        (NEWEST_REVISION, True),
        (f"0099_from_{NEWEST}", True),
        ("0099_from_0001", True),
        (f"{LATER}_from_{LATER}", False),
        (f"{LATER}_from_0001x", False),
        ("0002_from_0001", False),
    ],
)
def test_a_name_says_which_versions_work_on_a_schema(revision: str, works: bool) -> None:
    assert works_on(revision) is works
