"""stored_log: the log of a session's folder: from its nats-server while that runs, else from a
server that is started on its store for as long as the reading takes. Nothing else in the folder is
read.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.run_folder import DOCUMENT, SESSION, HeldByAnother, RunFolder
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.accounts import OPERATOR, PROVISIONER, reading_config
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import NatsServer, name_of_server
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus
from stratvector.runtime.session_in_log import read_logged_session
from stratvector.trading.flow import FLOW
from stratvector.trading.logged import SessionLog

Found = TypeVar("Found")

CLIENT = "parity"
NATS = "nats"
STORE = "store"
CONNECT_SECONDS = 10.0
STREAMS_SECONDS = 10.0
NAMED = re.compile(r'^server_name: "([^"]+)"$', re.MULTILINE)
LISTENS = re.compile(r'^listen: "([^"]+):(\d+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Access:
    """Where a server answers, and the key to read with."""

    url: str
    seed_file: Path


def session_folder(path: Path) -> Path:
    """The folder of a session, from itself or from its run's. Raises CommandFailed."""
    for folder in (path, path / SESSION):
        if (folder / NATS / STORE).is_dir() or (folder / DOCUMENT).is_file():
            return folder
    if not path.is_dir():
        raise CommandFailed(f"{path}: there is no such folder")
    raise CommandFailed(
        f"{path}: no session lies there, neither {DOCUMENT} nor {SESSION}/{DOCUMENT}; "
        "`stratvector up` writes one"
    )


def stored_log(
    folder: Path, portfolio: str = "", run: str = ""
) -> tuple[LoggedSession, SessionLog]:
    """What the log of a session's folder says now.

    portfolio, run : may be left open where the log holds one that is meant. Raises CommandFailed,
    BadSession, NatsServerError or BusConnectionError.
    """

    async def read(bus: Bus) -> tuple[LoggedSession, SessionLog]:
        if (found := await read_logged_session(bus, portfolio, run)) is None:
            raise CommandFailed(
                f"{folder}: its log has no chapter; the session has not begun to run"
            )
        return found

    return on_stored_log(folder, read)


def on_stored_log(folder: Path, work: Callable[[Bus], Awaitable[Found]]) -> Found:
    """What somebody who reads finds in the log of a session's folder. Raises CommandFailed,
    NatsServerError or BusConnectionError.
    """
    with client_logs(), _server(folder) as access:
        return asyncio.run(_on(access, folder, work))


async def _on(access: Access, folder: Path, work: Callable[[Bus], Awaitable[Found]]) -> Found:
    client = await connect(access.url, access.seed_file, CLIENT, CONNECT_SECONDS)
    try:
        bus = JetStreamBus(client)
        await _refuse_missing_streams(bus, folder)
        return await work(bus)
    finally:
        await client.close()


async def _refuse_missing_streams(bus: JetStreamBus, folder: Path) -> None:
    """The bus would wait for a stream for ever. Raises CommandFailed."""
    for hop in FLOW:
        try:
            async with asyncio.timeout(STREAMS_SECONDS):
                await bus.read(f"{hop.noun}.>", 0, 1)
        except TimeoutError:
            raise CommandFailed(
                f"{folder}: its log has no stream {hop.stream}; "
                "the session has not begun to run, or a part of its log is lost"
            ) from None


@contextmanager
def _server(folder: Path) -> Iterator[Access]:
    """The session's own server, or one on its store, which nobody else may use meanwhile.

    A folder's lock is held as long as its own platform runs: what else listens on the port that
    stands in a copied or left folder is another's.
    """
    store = folder / NATS / STORE
    if not store.is_dir():
        raise CommandFailed(f"{folder}: there is no log, {store} is missing")
    try:
        with RunFolder(folder).held(), TemporaryDirectory() as scratch:
            keys = KeyFolder(Path(scratch) / "keys")
            server = _server_on(store.absolute(), Path(scratch), keys)
            server.start()
            try:
                yield Access(server.url, keys.seed_file(OPERATOR))
            finally:
                server.stop()
    except HeldByAnother:
        if (running := _running(folder)) is None:
            raise
        yield running


def _server_on(store: Path, scratch: Path, keys: KeyFolder) -> NatsServer:
    """A server with keys of its own, so that the session's files stay as they are."""
    accounts = reading_config(*(keys.ensure(user) for user in (PROVISIONER, OPERATOR)))
    settings = ServerSettings(store, free_port())
    return NatsServer(settings, scratch, scratch / "nats-server.log", accounts)


def _running(folder: Path) -> Access | None:
    """The server of a folder that is held, if it answers under the name of its last start."""
    config = folder / NATS / "server.conf"
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    listens, named = LISTENS.search(text), NAMED.search(text)
    if listens is None or named is None:
        return None
    host, port = listens[1], int(listens[2])
    if name_of_server(host, port) != named[1]:
        return None
    return Access(f"nats://{host}:{port}", KeyFolder(folder / "keys").seed_file(OPERATOR))
