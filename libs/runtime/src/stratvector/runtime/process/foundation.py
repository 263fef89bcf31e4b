"""foundation: what a service process stands on: a session and one bus connection, or nothing."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from typing import Generic, Protocol

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.jetstream.connection import BusClient, BusConnectionError, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import BadSeedFile
from stratvector.runtime.ports import Bus, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.metered_bus import MeteredBus
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.settings import ServiceSettings, SessionSettings, Settings
from stratvector.runtime.process.status import UNSTORED
from stratvector.runtime.process.telemetry import current_telemetry
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.session_folder import RecordedSession
from stratvector.trading.ledger import LedgerEntry

BuildService = Callable[[SessionSettings, Deployment, Ports], Tasks]
BuildPlainService = Callable[[Settings], Tasks]


class Foundation(Protocol):
    """What a life starts from, asks while it runs, and closes last.

    client : the bus connection, once there is one. sent_away : why the bus closed it for good.
    """

    client: BusClient | None
    sent_away: asyncio.Future[str]

    async def build(self, tell: Callable[[str], None]) -> Tasks:
        """The service on its foundation; `tell` takes what it waits for. Raises CannotStart."""

    def trouble(self) -> str:
        """Why the process is not ready although it runs; empty when all is well."""


class PlainFoundation(Generic[Settings]):
    """For a service without session and bus: nothing to wait for."""

    def __init__(self, settings: Settings, build: BuildPlainService[Settings]) -> None:
        self._settings, self._build = settings, build
        self.client: BusClient | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def build(self, tell: Callable[[str], None]) -> Tasks:
        """The service."""
        return self._build(self._settings)

    def trouble(self) -> str:
        """None of its own."""
        return ""


class BusFoundation(Generic[SessionSettings]):
    """A recorded session, and ports on one bus connection."""

    def __init__(
        self,
        settings: SessionSettings,
        instance: str,
        metrics: ProcessMetrics,
        build: BuildService[SessionSettings],
    ) -> None:
        self._settings, self._instance, self._metrics = settings, instance, metrics
        self._build = build
        self.client: BusClient | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def build(self, tell: Callable[[str], None]) -> Tasks:
        """The service on its ports, as soon as the bus answers. Raises CannotStart."""
        settings = self._settings
        deployment = deployment_of(settings)
        waiting = f"waiting for NATS at {settings.nats_url}"
        tell(waiting)
        self.client = client = await connect_bus(
            settings, self._instance, lambda why: tell(f"{waiting}: {why}"), self._lost_bus
        )
        tell("")
        ports = ports_of(client, settings, self._instance, self._metrics)
        try:
            return self._build(settings, deployment, ports)
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


def deployment_of(settings: ServiceSettings) -> Deployment:
    """The recorded session. Raises CannotStart when the folder holds none."""
    session = RecordedSession(settings.session)
    try:
        _ = session.portfolio, session.schedule
    except (BadSession, OSError) as error:
        raise CannotStart(f"session: {error}") from None
    return Deployment(session=session, ledger_store=NoLedgerStore())


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
    telemetry = current_telemetry()
    if telemetry is None:
        return Ports(bus, owners, clock, instance, settings.lease_seconds)
    traced = telemetry.traced(bus)
    return Ports(traced, owners, clock, instance, settings.lease_seconds, telemetry.spans)
