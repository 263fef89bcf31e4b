"""A real ledger database: filled with entries, and answering on a real gRPC port."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from stratvector.runtime.served import Served
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.payloads import stored_entry
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.services.ledger.adapters.sqlite_file import make_private
from stratvector.services.ledger.portfolio_chapters import PortfolioChapters
from stratvector.services.ledger.servicer import ledger_servicer
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import Portfolio
from tests.sessions.postgresql_server import PostgresqlServer

SERVERS = ("sqlite", "postgresql")


def new_database(folder: Path) -> LedgerDatabase:
    """A database in a file, with the newest schema: a copy, as every migration takes its time."""
    file = folder / "ledger.db"
    is_new = not file.exists()
    if is_new:
        make_private(file)
        file.write_bytes(_prepared_file())
    database = LedgerDatabase(f"sqlite:///{file}")
    database.prepare()
    if is_new:
        database.unseal()  # as whoever makes the tables does
    return database


@cache
def _prepared_file() -> bytes:
    """A file that holds the newest schema."""
    with TemporaryDirectory() as folder:
        database = LedgerDatabase(f"sqlite:///{Path(folder) / 'ledger.db'}")
        database.prepare()
        database.close()
        return (Path(folder) / "ledger.db").read_bytes()


def on_server(server: PostgresqlServer, url: str = "") -> LedgerDatabase:
    """A database on a server, without a schema. url : one that there is, instead of a new one."""
    address = url or server.new_database()
    return LedgerDatabase(address, password_file=server.password_file)


@cache
def _template(server: PostgresqlServer) -> str:
    """The name of a database with the newest schema, which others are copied from."""
    database = on_server(server)
    database.prepare()
    database.close()
    return database.shown.rpartition("/")[2]


def new_database_on(server: PostgresqlServer) -> LedgerDatabase:
    """A database on a server, with the newest schema."""
    return on_server(server, server.new_database(_template(server)))


def record(database: LedgerDatabase, entries: Iterable[LedgerEntry], **options: Any) -> None:
    """Commit entries and wait until all are in the database."""
    asyncio.run(_record(SqlLedgerStore(database, **options), entries))


async def _record(store: SqlLedgerStore, entries: Iterable[LedgerEntry]) -> None:
    writing = asyncio.create_task(store.write())
    try:
        keys = set[Key]()
        for entry in entries:
            await store.commit(entry)
            keys.add(Key.of(entry))
        for key in keys:
            await store.written(key.run, key.portfolio)
    finally:
        await store.close()
        await writing


def finished_record(folder: Path, entries: Iterable[LedgerEntry]) -> Path:
    """The database file of a finished run; tests change copies of it."""
    database = new_database(folder)
    record(database, entries)
    database.close()
    return folder / "ledger.db"


def stored(database: LedgerDatabase, key: Key, close_time: int) -> LedgerEntry | None:
    """The entry of a close as the database has it."""
    with database.reader.begin() as connection:
        return stored_entry(connection, key, close_time)


@asynccontextmanager
async def answering(database: LedgerDatabase, *portfolios: Portfolio) -> AsyncIterator[str]:
    """The address of a server that answers for portfolios."""
    server, served = grpc.aio.server(), Served[PortfolioChapters]("the ledger")
    for portfolio in portfolios:
        served.add(portfolio, PortfolioChapters(portfolio))
    ledger_servicer(database, served).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
