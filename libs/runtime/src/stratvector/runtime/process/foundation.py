"""foundation: what a service process stands on: one bus connection and the portfolios that it
finds there, or nothing.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Generic, Protocol

from stratvector.runtime.documents import DOCUMENTS
from stratvector.runtime.holds import HOLDS
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.jetstream.connection import BusClient, BusConnectionError, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import BadSeedFile
from stratvector.runtime.jetstream.topology import MEMBERS
from stratvector.runtime.ports import Bus, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.finding import Finding, Found
from stratvector.runtime.process.metered_bus import MeteredBus
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.settings import BusSettings, ServiceSettings, Settings
from stratvector.runtime.process.status import UNSTORED
from stratvector.runtime.process.telemetry import current_telemetry
from stratvector.runtime.process.transport import current_transport
from stratvector.runtime.snapshots import SNAPSHOTS
from stratvector.trading.ledger import LedgerEntry

BuildService = Callable[[BusSettings, Ports], Service]
BuildPlainService = Callable[[Settings], Service]
Tell = Callable[[str], None]
BeginMore = Callable[[str, Tasks], None]


class Foundation(Protocol):
    """What a life starts from, asks while it runs, and closes last.

    client : the bus connection, once there is one. ports : what stands on it. sent_away : why the
    bus closed it for good.
    """

    client: BusClient | None
    ports: Ports | None
    sent_away: asyncio.Future[str]

    async def build(self, tell: Tell, address: Callable[[], str], begin: BeginMore) -> Service:
        """The service on its foundation. Raises CannotStart.

        tell : takes what it waits for before it can be asked anything. address, begin : for
        `Ports`.
        """

    @property
    def idle(self) -> str:
        """Why there is nothing to do as long as no portfolio was found; empty for a service that
        works for none.
        """

    def found(self) -> AsyncGenerator[Sequence[Found], None]:
        """The portfolios that there are to serve, and those that come."""

    def trouble(self) -> str:
        """Why the process is not ready although it runs; empty when all is well."""


class PlainFoundation(Generic[Settings]):
    """For a service without a bus: nothing to wait for."""

    def __init__(self, settings: Settings, build: BuildPlainService[Settings]) -> None:
        self._settings, self._build = settings, build
        self.client: BusClient | None = None
        self.ports: Ports | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    idle = ""

    async def build(self, tell: Tell, address: Callable[[], str], begin: BeginMore) -> Service:
        """The service."""
        return self._build(self._settings)

    async def found(self) -> AsyncGenerator[Sequence[Found], None]:
        """None, ever."""
        await asyncio.Event().wait()
        yield ()

    def trouble(self) -> str:
        """None of its own."""
        return ""


class BusFoundation(Generic[BusSettings]):
    """Ports on one bus connection, and the portfolios that are found there.

    engine : see `Ports`.
    """

    def __init__(
        self,
        settings: BusSettings,
        instance: str,
        metrics: ProcessMetrics,
        build: BuildService[BusSettings],
        finding: Finding,
        has_lanes: bool,
        engine: str = "",
    ) -> None:
        self._engine = engine
        self._settings, self._instance, self._metrics = settings, instance, metrics
        self._build, self._finding, self._has_lanes = build, finding, has_lanes
        self.ports: Ports | None = None
        self.client: BusClient | None = None
        self.sent_away: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def build(self, tell: Tell, address: Callable[[], str], begin: BeginMore) -> Service:
        """The service on its ports, as soon as the bus answers. Raises CannotStart."""
        settings = self._settings
        waiting = f"waiting for NATS at {settings.nats_url}"
        tell(waiting)
        self.client = client = await connect_bus(
            settings, self._instance, lambda why: tell(f"{waiting}: {why}"), self._lost_bus
        )
        tell("")
        ports = ports_of(client, settings, self._instance, self._metrics)
        members = JetStreamKeyValue(client, MEMBERS) if self._has_lanes else None
        self.ports = replace(
            ports,
            members=members,
            holds=JetStreamKeyValue(client, HOLDS),
            address=address,
            engine=self._engine,
            begin=begin,
            aside=asyncio.to_thread,
        )
        return self._build(settings, self.ports)

    @property
    def idle(self) -> str:
        """What the finding says."""
        return self._finding.idle

    def found(self) -> AsyncGenerator[Sequence[Found], None]:
        """Portfolios on the bus; to be asked after `build`."""
        assert self.ports is not None
        return self._finding.follow(self.ports)

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

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """Raises PermissionError."""
        raise PermissionError(f"only the ledger may ask what it holds of {portfolio} in {run}")

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Raises PermissionError."""
        raise PermissionError(f"only the ledger may verify what it holds of {portfolio} in {run}")

    async def commit(self, entry: LedgerEntry) -> None:
        """Raises PermissionError."""
        raise PermissionError(f"only the ledger's process may write to {entry.portfolio}")

    async def written(self, run: str, portfolio: str) -> None:
        """Nothing is on its way."""


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
    transport = current_transport()
    try:
        return await connect(
            settings.nats_url,
            settings.nats_seed_file,
            instance,
            on_waiting=on_waiting,
            on_closed=on_closed,
            certificates=None if transport is None else transport.certificates,
        )
    except (BadSeedFile, BusConnectionError) as error:
        raise CannotStart(str(error)) from None


def ports_of(
    client: BusClient, settings: ServiceSettings, instance: str, metrics: ProcessMetrics
) -> Ports:
    """The ports of a process on its connection."""
    bus: Bus = MeteredBus(JetStreamBus(client), metrics)
    owners, clock = JetStreamKeyValue(client), AsyncClock()
    documents, snapshots = (JetStreamKeyValue(client, name) for name in (DOCUMENTS, SNAPSHOTS))
    telemetry, lease_seconds = current_telemetry(), settings.lease_seconds
    if telemetry is None:
        return Ports(bus, owners, clock, instance, lease_seconds, None, documents, snapshots)
    traced = telemetry.traced(bus)
    spans = telemetry.spans
    return Ports(traced, owners, clock, instance, lease_seconds, spans, documents, snapshots)
