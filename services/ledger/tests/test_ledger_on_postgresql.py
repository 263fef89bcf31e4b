"""A PostgreSQL server beside SQLite: the same schema and rows; who may connect, and with what."""

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text

from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.database import (
    Away,
    Damaged,
    LedgerDatabase,
    UnknownRevision,
    Unusable,
)
from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION, VERSION_TABLE
from stratvector.services.ledger.adapters.postgresql import LIMITS_MS
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.tables import DERIVED
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.german_server import in_german
from tests.sessions.postgresql_server import PASSWORD, PostgresqlServer
from tests.sessions.recorded_ledger import new_database, new_database_on, on_server, record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 3, closes=25))).entries
KEY = Key.of(ENTRIES[0])


def content(database: LedgerDatabase) -> dict[str, list[Any]]:
    """Every row of every table, in the order that the database sorts it in."""
    with database.snapshot() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in schema.metadata.sorted_tables
        }


def test_the_same_rows_and_the_same_verification_on_both(
    server: PostgresqlServer, tmp_path: Path
) -> None:
    file, served = new_database(tmp_path), new_database_on(server)
    for database in (file, served):
        record(database, ENTRIES)
    assert content(served) == content(file)
    assert served.verify() == file.verify()
    assert served.verify().rows == sum(map(len, content(file).values())) - len(ENTRIES) - 1
    file.close()
    served.close()


def test_an_empty_database_becomes_the_schema_that_the_code_expects(
    server: PostgresqlServer,
) -> None:
    database = on_server(server)
    database.prepare()
    with database.writer.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {
            VERSION_TABLE,
            *schema.metadata.tables,
        }
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == (
            NEWEST_REVISION
        )
    database.close()


def test_replicas_that_start_together_wait_for_each_other(server: PostgresqlServer) -> None:
    url, errors = server.new_database(), list[Exception]()

    def start() -> None:
        database = on_server(server, url)
        try:
            database.prepare()
        except Exception as error:  # noqa: BLE001  the test tells it
            errors.append(error)
        database.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_text_sorts_by_code_point_in_a_database_of_any_language(server: PostgresqlServer) -> None:
    names = ["b", "B", "a-b", "ab", "é", "Z"]
    database = new_database_on(server)
    with database.writer.begin() as connection:
        for name in names:
            connection.execute(
                text(f"INSERT INTO account_cash VALUES ('main', 'r', 1, '{name}', '0')")
            )
        table = schema.metadata.tables["account_cash"]
        told = connection.scalars(select(table.c.account).order_by(table.c.account)).all()
    assert told == sorted(names)
    database.close()


def test_a_database_of_something_else_or_of_a_newer_version_is_refused(
    server: PostgresqlServer,
) -> None:
    database = on_server(server)
    with database.writer.begin() as connection:
        connection.execute(text("CREATE TABLE songs (title TEXT)"))
    with pytest.raises(Unusable, match="it is no ledger's, it holds tables songs"):
        database.prepare()
    database.close()
    database = new_database_on(server)
    with database.writer.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))
    with pytest.raises(UnknownRevision, match="run a newer version"):
        database.prepare()
    database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fills SET price = '9'",
        "DELETE FROM orders WHERE ctid IN (SELECT ctid FROM orders LIMIT 1)",
        "UPDATE payloads SET chain_hash = '0'",
        "UPDATE closes SET halted = NOT halted",
        "DROP TABLE signal_rows",
    ],
)
def test_what_somebody_edits_is_found_and_nothing_else(
    server: PostgresqlServer, statement: str
) -> None:
    database = new_database_on(server)
    record(database, ENTRIES)
    with database.writer.begin() as connection:
        connection.execute(text(statement))
    found = database.verify()
    table = next(name for name in schema.metadata.tables if name in statement)
    assert {one.table for one in found.findings} == {table}
    with pytest.raises(Damaged, match="not as it was recorded"):
        database.refuse_damage(KEY, None)
    database.close()


def test_a_wrong_password_user_or_database_is_for_a_person(
    server: PostgresqlServer, tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guessed")
    url = server.url("postgres")
    for address, file, said in (
        (url, wrong, 'password authentication failed for user "ledger"'),
        (url, None, "no password supplied"),
        (url, tmp_path / "absent", "can't be read: No such file or directory"),
        (server.url("nowhere"), server.password_file, 'database "nowhere" does not exist'),
        (f"{url}?sslmode=require", server.password_file, "server does not support SSL"),
        (f"{url}?sslmod=off", server.password_file, "invalid connection option"),
    ):
        database = LedgerDatabase(address, password_file=file)
        with pytest.raises(Unusable) as refusal:
            database.prepare()
        assert type(refusal.value) is Unusable
        assert said in str(refusal.value)
        assert "guessed" not in str(refusal.value)
        assert "\n" not in str(refusal.value)
        database.close()


def test_it_is_known_in_any_language_who_must_act(server: PostgresqlServer, tmp_path: Path) -> None:
    """By the SQLSTATE, as nobody knows the words: a person, or only time."""
    server.sql("CREATE ROLE crowded LOGIN PASSWORD 'word' CONNECTION LIMIT 0")
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("guessed")
    right.write_text("word")
    with in_german(server.port) as port:
        url = f"postgresql://ledger@127.0.0.1:{port}/postgres?sslmode=disable"
        for address, file, said, kind in (
            (url, wrong, "Passwort-Authentifizierung für Benutzer »ledger«", Unusable),
            (url.replace("/postgres?", "/nowhere?"), server.password_file, "existiert", Unusable),
            (url.replace("ledger@", "crowded@"), right, "zu viele Verbindungen", Away),
        ):
            database = LedgerDatabase(address, password_file=file)
            with pytest.raises(Unusable, match=said) as refusal:
                database.prepare()
            assert type(refusal.value) is kind
            database.close()


def test_a_password_that_changes_is_taken_at_the_next_connection(
    server: PostgresqlServer, tmp_path: Path
) -> None:
    server.sql("CREATE ROLE rotating SUPERUSER LOGIN PASSWORD 'first'")
    file = tmp_path / "password"
    file.write_text("first\n")
    url = server.new_database().replace("ledger@", "rotating@")
    database = LedgerDatabase(url, password_file=file)
    database.prepare()
    server.sql("ALTER ROLE rotating PASSWORD 'second'")
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotating'")
    with pytest.raises(Away, match="password authentication failed"):
        ask(database)  # it was right before, so it may be again
    file.write_text("second\n")
    record(database, ENTRIES[:1])
    assert database.verify().closes == 1
    database.close()
    server.sql("ALTER ROLE rotating NOLOGIN")


def test_who_hangs_is_ended_by_the_server(server: PostgresqlServer) -> None:
    database = new_database_on(server)
    for engine in (database.writer, database.reader):
        with engine.connect() as connection:
            for name, milliseconds in LIMITS_MS.items():
                told = connection.scalar(
                    text(f"SELECT setting FROM pg_settings WHERE name='{name}'")
                )
                assert told == str(milliseconds)
    database.close()


def test_few_connections_are_open(server: PostgresqlServer) -> None:
    database = new_database_on(server)
    record(database, ENTRIES)
    asking = [threading.Thread(target=lambda: ask(database)) for _ in range(12)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    name = database.shown.rpartition("/")[2]
    count = server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
    assert 1 <= int(count) <= 6
    database.close()


def ask(database: LedgerDatabase) -> None:
    with database.asked(KEY) as connection:
        for table in DERIVED:
            connection.execute(select(table)).all()


def test_the_password_is_shown_nowhere(server: PostgresqlServer) -> None:
    database = new_database_on(server)
    assert PASSWORD not in f"{database.shown}{database.writer!r}{database.writer.url!r}"
    database.close()
