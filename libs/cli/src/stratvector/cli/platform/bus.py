"""bus: the nats-server of one session, with its keys, accounts and streams, and its log to read."""

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TextIO

import structlog

from stratvector.cli.logs import FOLDER
from stratvector.cli.platform.ports import HOST, PortPlan
from stratvector.runtime.applying import go_on
from stratvector.runtime.documents import DOCUMENTS, Documents, Wish
from stratvector.runtime.jetstream.accounts import (
    APPLY,
    OPERATOR,
    PROVISIONER,
    USERS,
    accounts_config,
)
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import BusClient, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import find_binary
from stratvector.runtime.jetstream.server_config import ServerSettings, server_config
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.session_in_log import read_logged_session
from stratvector.trading.logged import SessionLog

SERVER_SECONDS = 60.0
LOG = "up.log"
MADE = "streams.made"  # from here on a stream that is missing is a loss


class LocalBus:
    """Files of a session folder: nats/server.conf, nats/store, nats/streams.made, keys/<user>.seed.

    command : what starts the server. Raises BadSeedFile, ServerBinaryMissing, OSError.
    """

    def __init__(self, session_folder: Path, ports: PortPlan) -> None:
        self.url = f"nats://{HOST}:{ports.nats}"
        self._keys = KeyFolder(session_folder / "keys")
        folder = session_folder.absolute() / "nats"
        folder.mkdir(exist_ok=True)
        config = folder / "server.conf"
        self.store = folder / "store"
        self._made = folder / MADE
        settings = ServerSettings(self.store, ports.nats, HOST, ports.monitor)
        public_keys = {user: self._keys.ensure(user) for user in USERS}
        accounts = accounts_config(public_keys)
        config.write_text(
            server_config(settings, f"stratvector-{secrets.token_hex(8)}", accounts),
            encoding="utf-8",
        )
        self.command: tuple[str, ...] = (find_binary(), "--config", str(config))

    def seed_file(self, user: str) -> Path:
        """Where a user's seed is."""
        return self._keys.seed_file(user)

    async def provision(self) -> None:
        """Make streams and buckets, as soon as the server answers; the streams of a session that
        has begun must be there. Raises BusConnectionError, ProvisioningError.
        """
        async with self._client(PROVISIONER) as client:
            await provision(client, begun=self._made.exists())
        self._made.touch()

    async def apply(self, wish: Wish) -> None:
        """Want this, unless the log says otherwise. Raises BadSession, OtherChapter."""
        async with self._client(APPLY) as client:
            documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
            await go_on(JetStreamBus(client), documents, wish)

    async def read(self, portfolio: str = "", run: str = "") -> tuple[LoggedSession, SessionLog]:
        """The session as the log tells it. Raises BusConnectionError, BadSession."""
        async with self._client(OPERATOR) as client:
            found = await read_logged_session(JetStreamBus(client), portfolio, run)
        if found is None:
            raise BadSession("the log has no chapter; the session has not begun to run")
        return found

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[JetStreamBus]:
        """The log, to be followed for the time of a block. Raises BusConnectionError."""
        async with self._client(OPERATOR) as client:
            yield JetStreamBus(client)

    @asynccontextmanager
    async def _client(self, user: str) -> AsyncIterator[BusClient]:
        client = await connect(self.url, self.seed_file(user), f"up-{user}", SERVER_SECONDS)
        try:
            yield client
        finally:
            await client.close()


@contextmanager
def client_logs(folder: Path = FOLDER) -> Iterator[None]:
    """What connections to the bus tell goes to up.log in the logs for the time of a block."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a", encoding="utf-8") as log, told_to(log, logging.INFO):
        yield


@contextmanager
def told_to(log: TextIO, level: int) -> Iterator[None]:
    """What connections to the bus tell, from a level on, is a line of JSON for the time of a
    block.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(log),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
