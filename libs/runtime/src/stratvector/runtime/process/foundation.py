"""foundation: what a service process stands on: one bus connection and the portfolio that it finds
there, or nothing.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Generic, Protocol

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.documents import DOCUMENTS
from stratvector.runtime.host import Tasks
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.jetstream.connection import BusClient, BusConnectionError, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import BadSeedFile
from stratvector.runtime.ports import Bus, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.finding import Find
from stratvector.runtime.process.metered_bus import MeteredBus
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.settings import BusSettings, ServiceSettings, Settings
from stratvector.runtime.process.status import UNSTORED
from stratvector.runtime.process.telemetry import current_telemetry
from stratvector.runtime.session_document import BadSession
from stratvector.trading.ledger import LedgerEntry

BuildService = Callable[[BusSettings, Deployment, Ports], Tasks | Awaitable[Tasks]]
BuildPlainService = Callable[[Settings], Tasks]
Tell = Callable[[str], None]


class Foundation(Protocol):
    """What a life starts from, asks while it runs, and closes last.

    client : the bus connection, once there is one. sent_away : why the bus closed it for good.
    """

    client: BusClient | None
    sent_away: asyncio.Future[str]

    async def build(self, tell: Tell, idle: Tell) -> Tasks:
        """The service on its foundation. Raises CannotStart.

        tell : takes what it waits for before it can be asked anything. idle : takes why it has
        nothing to do yet.
        """

    def trouble(self) -> str:
        """Why the process is not ready although it runs; empty when all is well."""


class PlainFoundation(Generic[Settings]):
    """For a service without a bus: nothing to wait for."""

    def __init__(self, settings: Settings, build: BuildPlainService[Settings]) -> None:
        self._settings, self._build = settings, build
        self.client: BusClient | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def build(self, tell: Tell, idle: Tell) -> Tasks:
        """The service."""
        return self._build(self._settings)

    def trouble(self) -> str:
        """None of its own."""
        return ""


class BusFoundation(Generic[BusSettings]):
    """Ports on one bus connection, and the portfolio that is found there."""

    def __init__(
        self,
        settings: BusSettings,
        instance: str,
        metrics: ProcessMetrics,
        build: BuildService[BusSettings],
        find: Find,
    ) -> None:
        self._settings, self._instance, self._metrics = settings, instance, metrics
        self._build, self._find = build, find
        self.client: BusClient | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def build(self, tell: Tell, idle: Tell) -> Tasks:
        """The service on its ports, as soon as the bus answers and has a portfolio for it.

        Raises CannotStart.
        """
        settings = self._settings
        waiting = f"waiting for NATS at {settings.nats_url}"
        tell(waiting)
        self.client = client = await connect_bus(
            settings, self._instance, lambda why: tell(f"{waiting}: {why}"), self._lost_bus
        )
        tell("")
        ports = ports_of(client, settings, self._instance, self._metrics)
        try:
            session = await self._find(ports, idle)
            _ = session.portfolio, session.start
            deployment = Deployment(session=session, ledger_store=NoLedgerStore())
            built = self._build(settings, deployment, ports)
            return await built if isawaitable(built) else built
        except BadSession as error:
            raise CannotStart(f"session: {error}") from None

    def trouble(self) -> str:
        """A lost connection, or a bus that does not store."""
        if self.client is not None and not self.client.is_connected:
            return f"waiting for NATS at {self._settings.nats_url}"
        unstored = tuple(self._metrics.unstored.values())
        return f"{UNSTORED}: {'; '.join(unstored)}" if unstored else ""

    def _lost_bus(self, why: str) -> None:
        if not self.sent_away.done():
            place = f"NATS at {self._settings.nats_url}"
            self.sent_away.set_result(f"{place} closed the connection for good: {why}")


class NoLedgerStore:
    """What stands in a deployment's place for a ledger store in processes: the ledger makes its
    own, and no other service writes one.
    """

    async def last_close(self, portfolio: str) -> int | None:
        """Raises PermissionError."""
        raise PermissionError(f"only the ledger's process may ask what it holds of {portfolio}")

    async def commit(self, entry: LedgerEntry) -> None:
        """Raises PermissionError."""
        raise PermissionError(f"only the ledger's process may write to {entry.portfolio}")


def new_instance(service: str) -> str:
    """A name that no other start of any process has: `<service>-<host>-<pid>-<random>`."""
    host = socket.gethostname().replace(" ", "_")
    return f"{service}-{host}-{os.getpid()}-{secrets.token_hex(4)}"


async def connect_bus(
    settings: ServiceSettings,
    instance: str,
    on_waiting: Callable[[str], None],
    on_closed: Callable[[str], None],
) -> BusClient:
    """The bus connection, waited for as long as it takes. Raises CannotStart for a wrong key."""
    try:
        return await connect(
            settings.nats_url,
            settings.nats_seed_file,
            instance,
            on_waiting=on_waiting,
            on_closed=on_closed,
        )
    except (BadSeedFile, BusConnectionError) as error:
        raise CannotStart(str(error)) from None


def ports_of(
    client: BusClient, settings: ServiceSettings, instance: str, metrics: ProcessMetrics
) -> Ports:
    """The ports of a process on its connection."""
    bus: Bus = MeteredBus(JetStreamBus(client), metrics)
    owners, clock = JetStreamKeyValue(client), AsyncClock()
    documents = JetStreamKeyValue(client, DOCUMENTS)
    telemetry, lease_seconds = current_telemetry(), settings.lease_seconds
    if telemetry is None:
        return Ports(bus, owners, clock, instance, lease_seconds, documents=documents)
    traced = telemetry.traced(bus)
    return Ports(traced, owners, clock, instance, lease_seconds, telemetry.spans, documents)
