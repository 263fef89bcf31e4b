"""A ledger process that can't work on its PostgreSQL database says so in one sentence and ends with
exit code 78, so that nobody starts it again before a person has acted.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stratvector.cli.platform.child import ChildFailed
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION, VERSION_TABLE
from stratvector.trading.portfolio import Account
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import begin_at
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.german_server import in_german
from tests.sessions.postgresql_server import PostgresqlServer, postgresql
from tests.sessions.process_flow import run_processes
from tests.sessions.recorded_ledger import new_database_on, record
from tests.sessions.simulated_flow import run_flow

SESSION = generated_session(1, Shape(2, 2, 2, closes=12))
RECORDED = 5


@pytest.fixture(scope="module")
def server() -> PostgresqlServer:
    return postgresql()


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server on which a session has begun."""
    folder = tmp_path_factory.mktemp("nats")
    made = NatsServer(ServerSettings(folder / "store", free_port()), folder, folder / "log")
    with ExitStack() as stack:
        made.start()
        stack.callback(made.kill)
        begin_at(made.url, SESSION)
        yield made.url


def refused(folder: Path, nats_url: str, database_url: str, password_file: Path) -> str:
    """What a ledger process says that must not begin."""
    told: dict[str, Any] = {
        "nats_url": nats_url,
        "database_url": database_url,
        "database_password_file": password_file,
        "http_port": 0,
        "grpc_port": 0,
    }
    with ServiceProcess("stratvector.services.ledger", folder, "ledger", **told) as process:
        code, said = process.ended(), process.err.read_text()
    assert code == os.EX_CONFIG, said
    assert said.startswith("ledger: ")
    assert said.count("\n") == 1
    return said


def test_a_database_of_a_newer_version(server: PostgresqlServer, nats: str, tmp_path: Path) -> None:
    database = new_database_on(server)
    database.close()
    name = database.shown.rpartition("/")[2]
    server.sql(f"UPDATE {VERSION_TABLE} SET version_num = '0099'", name)
    said = refused(tmp_path, nats, server.url(name), server.password_file)
    assert "has schema revision '0099', which this version does not know" in said
    assert f"(its newest is {NEWEST_REVISION!r})" in said
    assert server.sql(f"SELECT version_num FROM {VERSION_TABLE}", name) == "0099"


@pytest.mark.parametrize("language", ["English", "German"])
def test_a_wrong_password(
    server: PostgresqlServer, nats: str, tmp_path: Path, language: str
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guessed\n")
    with in_german(server.port) as port:
        url = server.new_database()
        if language == "German":
            url = url.replace(f":{server.port}/", f":{port}/") + "?sslmode=disable"
        said = refused(tmp_path, nats, url, wrong)
    words = {"English": "password authentication failed", "German": "fehlgeschlagen"}
    assert words[language] in said
    assert "guessed" not in said


def of_another_log(session: Session) -> Session:
    """The same portfolio with another capital."""
    (account,) = session.portfolio.accounts
    richer = Account(account.name, account.initial_cash + Decimal(1))
    return replace(session, portfolio=replace(session.portfolio, accounts=(richer,)))


def test_a_database_of_another_log(server: PostgresqlServer, tmp_path: Path) -> None:
    database = new_database_on(server)
    record(database, run_flow(of_another_log(SESSION)).entries[:RECORDED])
    before = database.verify()
    settings = {
        "STRATVECTOR_LEDGER_DATABASE_URL": server.url(database.shown.rpartition("/")[2]),
        "STRATVECTOR_LEDGER_DATABASE_PASSWORD_FILE": str(server.password_file),
    }
    with pytest.raises(ChildFailed) as failure:
        run_processes(tmp_path, SESSION, settings=settings)
    assert (failure.value.name, failure.value.code) == ("ledger", os.EX_CONFIG)
    assert "is not what the log says: it was written from another log" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert database.verify() == before
    assert before.closes == RECORDED
    database.close()
