"""stored_log: the log of a session's folder: from its nats-server if that runs, else from a server
that is started on its store for as long as the reading takes.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.run_folder import SESSION, RunFolder
from stratvector.runtime.jetstream.accounts import OPERATOR, USERS, accounts_config
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import BusConnectionError, connect
from stratvector.runtime.jetstream.keys import BadSeedFile, KeyFolder
from stratvector.runtime.jetstream.server import NatsServer, free_port
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.jetstream.topology import lanes
from stratvector.runtime.session_folder import DOCUMENT, RecordedSession
from stratvector.runtime.session_log import read_session
from stratvector.trading.flow import FLOW
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Portfolio

CLIENT = "parity"
RUNNING_SECONDS = 1.0
CONNECT_SECONDS = 10.0
STREAMS_SECONDS = 10.0
LISTENS = re.compile(r'^listen: "([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Access:
    """Where a server answers, and the key to read with."""

    url: str
    seed_file: Path


def session_folder(path: Path) -> Path:
    """The folder of a session, from itself or from its run's. Raises CommandFailed."""
    for folder in (path, path / SESSION):
        if (folder / DOCUMENT).is_file():
            return folder
    if not path.is_dir():
        raise CommandFailed(f"{path}: there is no such folder")
    raise CommandFailed(
        f"{path}: no session lies there, neither {DOCUMENT} nor {SESSION}/{DOCUMENT}; "
        "`stratvector up` writes one"
    )


def stored_log(session: RecordedSession) -> SessionLog:
    """What the log of a session's folder says now.

    Raises CommandFailed, BadSession, NatsServerError or BusConnectionError.
    """
    with client_logs(), _server(session) as access:
        return asyncio.run(_read(access, session))


async def _read(access: Access, session: RecordedSession) -> SessionLog:
    client = await connect(access.url, access.seed_file, CLIENT, CONNECT_SECONDS)
    try:
        bus = JetStreamBus(client)
        await _refuse_missing_streams(bus, session)
        return await read_session(bus, session)
    finally:
        await client.close()


async def _refuse_missing_streams(bus: JetStreamBus, session: RecordedSession) -> None:
    """The bus would wait for a stream for ever. Raises CommandFailed."""
    for hop in FLOW:
        try:
            async with asyncio.timeout(STREAMS_SECONDS):
                await bus.last(lanes(hop, session.portfolio)[0])
        except TimeoutError:
            raise CommandFailed(
                f"{session.folder}: its log has no stream {hop.stream}; "
                "the session has not begun to run"
            ) from None


@contextmanager
def _server(session: RecordedSession) -> Iterator[Access]:
    """The session's own server, or one on its store, which nobody else may use meanwhile."""
    nats = session.folder / "nats"
    store = nats / "store"
    if not store.is_dir():
        raise CommandFailed(f"{session.folder}: there is no log, {store} is missing")
    running = _running(session.folder)
    if running is not None:
        yield running
        return
    with RunFolder(session.folder).held(), TemporaryDirectory() as scratch:
        keys = KeyFolder(Path(scratch) / "keys")
        server = _on(store.absolute(), Path(scratch), session.portfolio, keys)
        server.start()
        try:
            yield Access(server.url, keys.seed_file(OPERATOR))
        finally:
            server.stop()


def _on(store: Path, scratch: Path, portfolio: Portfolio, keys: KeyFolder) -> NatsServer:
    """A server with keys of its own, so that the session's files stay as they are."""
    public_keys = {user: keys.ensure(user) for user in USERS}
    settings = ServerSettings(store, free_port())
    accounts = accounts_config(portfolio, public_keys)
    return NatsServer(settings, scratch, scratch / "nats-server.log", accounts)


def _running(folder: Path) -> Access | None:
    """The session's server, if it answers to the session's key; a stranger on its port does not."""
    config = folder / "nats" / "server.conf"
    listens = LISTENS.search(config.read_text(encoding="utf-8")) if config.is_file() else None
    if listens is None:
        return None
    access = Access(f"nats://{listens[1]}", KeyFolder(folder / "keys").seed_file(OPERATOR))

    async def try_it() -> None:
        client = await connect(access.url, access.seed_file, CLIENT, RUNNING_SECONDS)
        await client.close()

    try:
        asyncio.run(try_it())
    except (BusConnectionError, BadSeedFile):
        return None
    return access
