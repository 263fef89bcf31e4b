"""local: the bus and the services of one session as children of this process.

start   keys, accounts, nats-server, streams, document ─▶ every service at once
drain   services, asked in the order of the flow ─▶ nats-server ─▶ nothing is left
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stratvector.cli.logs import FOLDER
from stratvector.cli.platform.bus import LocalBus
from stratvector.cli.platform.child import Child
from stratvector.cli.platform.commands import command_of
from stratvector.cli.platform.ports import PortPlan
from stratvector.cli.platform.readiness import Readiness, readiness
from stratvector.cli.platform.settings_files import write_settings
from stratvector.runtime.documents import Wish
from stratvector.runtime.jetstream.accounts import USERS
from stratvector.trading.flow import COMPANIONS

# A service takes up to ten seconds to hand its lanes over; the bus then closes its files.
SERVICE_GRACE_SECONDS = 12.0
BUS_GRACE_SECONDS = 10.0
# Nobody waits for the record: when processors are short, it comes after the way of an order.
# Nor for those beside the flow, of which simulations and backtests may take any time.
NICENESS = {"ledger": 5, "gateway": 5, "drift": 10, "monte_carlo": 10, "research": 10}


class Platform:
    """Made, started and drained in one event loop of the main thread.

    session_folder : where it works. wish : what is applied at the start. seats : (name, service) of
    each process. told : takes a sentence about a child that ended.
    wished : settings of a service that the user asked for.
    """

    def __init__(
        self,
        session_folder: Path,
        wish: Wish,
        seats: Sequence[tuple[str, str]],
        ports: PortPlan,
        told: Callable[[str], None],
        verbose: bool = False,
        logs: Path = FOLDER,
        wished: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.ports = ports
        self.wish = wish
        self.bus = LocalBus(session_folder, ports)
        self._nats = Child("nats-server", self.bus.command, told, logs=logs)
        self._services = {
            name: Child(
                name,
                command_of(
                    service,
                    write_settings(
                        session_folder,
                        name,
                        service,
                        ports,
                        self.bus.url,
                        self.bus.seed_file(service) if service in USERS else None,
                        verbose,
                        (wished or {}).get(service),
                    ),
                ),
                told,
                logs=logs,
                niceness=NICENESS.get(service, 0),
            )
            for name, service in seats
        }
        self.told = told
        self._companions = {name for name, service in seats if service in COMPANIONS}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def children(self) -> dict[str, Child]:
        """Every child by name, the bus first."""
        return {self._nats.name: self._nats, **self._services}

    async def start(self) -> None:
        """Start all; returns when every service was told to start.

        Raises NatsServerError, BusConnectionError, ProvisioningError, and BadSession or
        OtherChapter for a document that is not what its log began with: no service was started
        then.
        A child that can't run ends `failed`.
        """
        self._keep(self._nats)
        await self.bus.provision()
        await self.bus.apply(self.wish)
        for child in self._services.values():
            self._keep(child)

    async def failed(self) -> None:
        """Wait until a child gives up; one beside the flow, at its start. Raises ChildFailed."""
        await asyncio.wait([self._failure])
        self._failure.result()

    async def readiness(self) -> dict[str, Readiness]:
        """What each service process says of itself."""
        names = list(self._services)
        found = await readiness([self.ports.seats[name].http for name in names])
        return dict(zip(names, found, strict=True))

    async def drain(self) -> list[str]:
        """End every child in good order; the names of those that had to be killed."""
        services = [c for c in self._services.values() if c.name in self._keepers]
        ended = await asyncio.gather(*(child.stop(SERVICE_GRACE_SECONDS) for child in services))
        killed = [child.name for child, well in zip(services, ended, strict=True) if not well]
        if self._nats.name in self._keepers and not await self._nats.stop(BUS_GRACE_SECONDS):
            killed.append(self._nats.name)
        # What a child failed with was told by `failed`.
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        if not self._failure.cancel():
            self._failure.exception()
        return killed

    def kill(self) -> None:
        """End every child now."""
        for child in self.children.values():
            child.kill()

    def _keep(self, child: Child) -> None:
        self._keepers[child.name] = keeper = asyncio.create_task(child.keep(), name=child.name)
        keeper.add_done_callback(self._note)

    def _note(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled() or self._failure.done():
            return
        if (error := keeper.exception()) is None:
            return
        name = keeper.get_name()
        if name in self._companions and self._services[name].ran_well:
            # It is no part of the way of an order: what it was asked for will be missing.
            self.told(f"{error}; the session goes on without it.")
            return
        self._failure.set_exception(error)
