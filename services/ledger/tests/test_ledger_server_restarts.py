"""A server that comes late, restarts, or does not say whether it committed: nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from sqlalchemy import text

from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.services.ledger.adapters.database import Away, LedgerDatabase
from stratvector.services.ledger.adapters.migrating import NEWEST_REVISION, VERSION_TABLE
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.trading.ledger_verification import Verification
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.postgresql_server import PostgresqlServer
from tests.sessions.recorded_ledger import answering, new_database, on_server, record
from tests.sessions.simulated_flow import run_flow

FLOW = run_flow(generated_session(1, Shape(2, 2, 3, closes=25)))
ENTRIES = FLOW.entries
KEY = Key.of(ENTRIES[0])
CRASHES = 4


@pytest.fixture(scope="module")
def fragile() -> Iterator[PostgresqlServer]:
    """A server that these tests may end."""
    server = PostgresqlServer()
    yield server
    server.remove()


@pytest.fixture
def up(fragile: PostgresqlServer) -> PostgresqlServer:
    if not fragile.is_up:
        fragile.start()
        fragile.answer()
    return fragile


def on_a_file(folder: Path) -> Verification:
    """What a file of the same closes says."""
    database = new_database(folder)
    record(database, ENTRIES)
    found = database.verify()
    database.close()
    return found


async def until_told(store: SqlLedgerStore, words: str) -> None:
    while words not in store.trouble():
        await asyncio.sleep(0.01)


def test_a_server_that_is_not_there_yet_is_waited_for(up: PostgresqlServer, tmp_path: Path) -> None:
    url = up.new_database()
    up.stop()
    database = on_server(up, url)

    async def run() -> None:
        store = SqlLedgerStore(database)
        writing = asyncio.create_task(store.write())
        asked = asyncio.create_task(store.last_close(KEY.run, KEY.portfolio))
        await until_told(store, "Connection refused")
        assert store.trouble().startswith(f"waiting for the ledger database {database.shown}: ")
        up.start()
        assert await asked is None
        for entry in ENTRIES:
            await store.commit(entry)
        await store.written(KEY.run, KEY.portfolio)
        assert store.trouble() == ""
        await store.close()
        await writing

    asyncio.run(run())
    assert database.verify() == on_a_file(tmp_path)
    database.close()


def test_a_server_that_crashes_again_and_again_loses_nothing(
    up: PostgresqlServer, tmp_path: Path
) -> None:
    database, written = on_server(up, up.new_database()), list[int]()

    async def crash() -> None:
        """As soon as something was written since the crash before."""
        for _ in range(CRASHES):
            before = len(written)
            while len(written) == before:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(up.stop, signal.SIGQUIT)
            up.start()

    async def run() -> None:
        store = SqlLedgerStore(
            database, 0.01, group_closes_max=2, on_written=lambda group: written.append(len(group))
        )
        writing = asyncio.create_task(store.write())
        crashing = asyncio.create_task(crash())
        for entry in ENTRIES:
            await store.commit(entry)
        await store.written(KEY.run, KEY.portfolio)
        await crashing
        await store.close()
        await writing

    asyncio.run(run())
    up.answer()
    assert database.verify() == on_a_file(tmp_path)
    database.close()


class CuttingCommits:
    """A way to the server on which the answers to some COMMITs never come: it cuts them off."""

    def __init__(self, port: int, cuts: int) -> None:
        self._port, self._cuts, self.was_cut = port, cuts, 0

    async def serve(self) -> tuple[asyncio.Server, int]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return server, server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.create_task(self._copy(there, writer))
        try:
            while data := await reader.read(65_536):
                cuts = b"COMMIT" in data and self.was_cut < self._cuts
                if cuts:
                    answers.cancel()
                    await asyncio.wait([answers])
                back.write(data)
                if cuts:
                    await there.read(65_536)  # the server has committed, and says so to nobody
                    self.was_cut += 1
                    break
        finally:
            answers.cancel()
            writer.close()
            back.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()


def test_a_commit_that_nobody_confirms_is_neither_lost_nor_made_twice(
    up: PostgresqlServer, tmp_path: Path
) -> None:
    url = up.new_database()
    prepared = on_server(up, url)
    prepared.prepare()
    way = CuttingCommits(up.port, cuts=3)

    async def run() -> LedgerDatabase:
        proxy, port = await way.serve()
        database = on_server(up, url.replace(f":{up.port}/", f":{port}/"))
        async with proxy:
            store = SqlLedgerStore(database, linger_seconds=0.0, group_closes_max=3)
            writing = asyncio.create_task(store.write())
            for entry in ENTRIES:
                await store.commit(entry)
            await store.written(KEY.run, KEY.portfolio)
            await store.close()
            await writing
            database.close()
        return database

    asyncio.run(run())
    assert way.was_cut == 3
    assert prepared.verify() == on_a_file(tmp_path)
    prepared.close()


def test_a_writer_that_is_told_to_stop_does_not_wait_for_a_server_that_is_away(
    up: PostgresqlServer,
) -> None:
    database = on_server(up, up.new_database())
    record(database, ENTRIES[:1])
    up.stop()

    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.0)
        writing = asyncio.create_task(store.write())
        await store.commit(ENTRIES[1])
        await until_told(store, "Connection refused")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(writing, 30.0)

    asyncio.run(run())
    database.close()


def test_a_question_meanwhile_is_told_to_ask_again(up: PostgresqlServer) -> None:
    database = on_server(up, up.new_database())
    record(database, ENTRIES)
    up.stop()

    async def ask() -> grpc.aio.AioRpcError | None:
        async with (
            answering(database, FLOW.session.portfolio) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            try:
                await LedgerServiceStub(channel).QueryFills(pb.QueryFillsRequest())
            except grpc.aio.AioRpcError as error:
                return error
        return None

    refused = asyncio.run(ask())
    assert refused is not None
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert "Connection refused" in str(refused.details())
    with pytest.raises(Away):
        database.verify()
    database.close()


def migrate(server: PostgresqlServer, url: str, *arguments: str) -> tuple[int, str]:
    """The exit code of the program, and what it said."""
    environment = {
        **os.environ,
        "STRATVECTOR_LEDGER_DATABASE_URL": url,
        "STRATVECTOR_LEDGER_DATABASE_PASSWORD_FILE": str(server.password_file),
    }
    command = [sys.executable, "-m", "stratvector.services.ledger.migrate", *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_job_migrates_and_ends_and_tells_why_it_could_not(up: PostgresqlServer) -> None:
    url = up.new_database()
    for _ in range(2):
        code, said = migrate(up, url)
        assert code == 0
        assert said.endswith(f"has schema revision {NEWEST_REVISION}\n")
    database = on_server(up, url)
    with database.writer.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))
    database.close()
    code, said = migrate(up, url)
    assert (code, said.count("\n")) == (os.EX_CONFIG, 1)
    assert "run a newer version" in said
    code, said = migrate(up, url.replace("ledger@", "ledger:word@"))
    assert code == 2
    assert "it must hold no password" in said
    assert "word@" not in said
    up.stop()
    code, said = migrate(up, url, "--wait", "0.1")
    assert code == os.EX_TEMPFAIL
    assert "Connection refused" in said
