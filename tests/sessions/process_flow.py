"""One session through the services as processes on a real nats-server, and hands to disturb it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import PortPlan, plan_ports
from stratvector.cli.platform.replicas import seat_names
from stratvector.cli.platform.session_run import refuse_differences
from stratvector.cli.platform.session_watch import until_committed
from stratvector.runtime.chapter_watch import newest_decided
from stratvector.runtime.documents import wish_of
from stratvector.runtime.jetstream.accounts import OPERATOR
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import BusClient, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.lease import holder
from stratvector.trading.fills import FillEvent
from stratvector.trading.flow import SERVICES, produced_by
from stratvector.trading.lanes import orders_lane
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_answers import LedgerStatus
from stratvector.trading.logged import SessionLog
from stratvector.trading.orders import Decision
from stratvector.trading.session import Session
from tests.bus.lanes import lanes
from tests.sessions.begun import fill_store

LEASE_SECONDS = 2.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Owner:
    """Who writes a lane. messages : how many it stored there in its epoch, its mark left out."""

    instance: str
    epoch: int

    @property
    def pid(self) -> int:
        """The process: its instance is named <service>-<host>-<pid>-<random>."""
        return int(self.instance.split("-")[-2])


@dataclass(frozen=True)
class ProcessFlow:
    """A finished run, as its log tells it. told : what the supervisor said of children's ends."""

    session: Session
    log: SessionLog
    told: list[str]

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """The log folded into the ledger."""
        return self.log.entries

    @property
    def decisions(self) -> list[Decision]:
        """What the ORDERS lane says."""
        return [entry.decision for entry in self.log.entries]

    @property
    def events(self) -> list[FillEvent]:
        """What the FILLS lane says."""
        return [event for entry in self.log.entries for event in entry.events]


class Running:
    """A run under way, for whoever disturbs it."""

    def __init__(
        self,
        session: Session,
        platform: Platform,
        client: BusClient,
    ) -> None:
        self.session, self.platform, self.client = session, platform, client
        self.bus = JetStreamBus(client)
        self._owners = JetStreamKeyValue(client)

    def lane(self, service: str) -> str:
        """The first lane that a service has a lease of; a chapter's is that of the orders."""
        return lanes(produced_by(service)[-1], self.session.portfolio)[0]

    async def owner(self, service: str) -> Owner:
        """The owner of a service's first lane."""
        entry = await self._owners.get(f"owner.{self.lane(service)}")
        assert entry is not None, f"{service} owns nothing yet"
        held = holder(entry)
        return Owner(held.instance, held.epoch)

    async def owner_of(self, lane: str) -> str:
        """The instance that owns a lane, "-" while none does."""
        entry = await self._owners.get(f"owner.{lane}")
        return "-" if entry is None else holder(entry).instance

    async def fraction(self) -> float:
        """How much of the session is decided."""
        newest = await newest_decided(self.bus, orders_lane(self.session.portfolio))
        if newest is None:
            return 0.0
        return (self.session.schedule.index(newest.close_time) + 1) / len(self.session.schedule)

    async def reach(self, fraction: float, look_seconds: float = LOOK_SECONDS) -> float:
        """Wait until so much of the session is decided; how much it is then."""
        while (now := await self.fraction()) < fraction:
            await asyncio.sleep(look_seconds)
        return now

    async def new_owner(self, service: str, before: Owner) -> Owner:
        """Wait until another instance owns the lane under a higher epoch."""
        while (now := await self.owner(service)).instance in (before.instance, "-"):
            await asyncio.sleep(LOOK_SECONDS)
        assert now.epoch > before.epoch
        return now

    async def published_by(self, service: str, owner: Owner) -> int:
        """Messages of content in the name of an owner's epoch on the service's first lane."""
        count, after = 0, 0
        while page := await self.bus.read(self.lane(service), after):
            after = page[-1].sequence
            count += sum(s.message.epoch == owner.epoch for s in page)
        return count - 1


Disturb = Callable[[Running], Awaitable[None]]


def run_processes(
    folder: Path,
    session: Session,
    replicas: Mapping[str, int] | None = None,
    disturb: Disturb | None = None,
    settings: Mapping[str, str] | None = None,
) -> ProcessFlow:
    """Run to the end and drain; raises whatever went wrong.

    replicas : processes of a service, 1 where nothing is said. settings : environment variables of
    the services.
    """
    ran = _run_in(folder, session, replicas, disturb, settings, True)
    assert ran is not None
    return ran


def run_life(folder: Path, session: Session, disturb: Disturb) -> None:
    """The same for one that is too long to be read at its end."""
    _run_in(folder, session, None, disturb, None, False)


def _run_in(
    folder: Path,
    session: Session,
    replicas: Mapping[str, int] | None,
    disturb: Disturb | None,
    settings: Mapping[str, str] | None,
    reads: bool,
) -> ProcessFlow | None:
    (folder / "session").mkdir(parents=True)
    fill_store(folder / "session" / "store", session)
    counts = dict.fromkeys(SERVICES, 1) | dict(replicas or {})
    plan = plan_ports(seat_names(counts), base_port=0)
    given = {f"STRATVECTOR_{s.upper()}_LEASE_SECONDS": str(LEASE_SECONDS) for s in SERVICES}
    # The strategies of test sessions stand here, and services don't look into the working folder.
    given["PYTHONPATH"] = str(Path(__file__).parents[2])
    before = dict(os.environ)
    os.environ.update(given | dict(settings or {}))
    try:
        return asyncio.run(_run(folder, session, counts, plan, disturb, reads))
    finally:
        os.environ.clear()
        os.environ.update(before)


async def _run(
    folder: Path,
    session: Session,
    counts: Mapping[str, int],
    plan: PortPlan,
    disturb: Disturb | None,
    reads: bool,
) -> ProcessFlow | None:
    wish, told = wish_of(session, "tests", 0), list[str]()
    platform = Platform(
        folder / "session",
        wish,
        seat_names(counts),
        plan,
        told.append,
        logs=folder / "logs",
    )
    try:
        await platform.start()
        status = await _or_failure(platform, _watched(platform, session, disturb))
        log = (await platform.bus.read())[1] if reads else None
    finally:
        killed = await platform.drain()
    assert killed == [], f"{killed} did not stop by themselves"
    if log is None:
        return None
    refuse_differences(log, status)
    return ProcessFlow(session, log, told)


async def _or_failure(platform: Platform, work: Coroutine[Any, Any, LedgerStatus]) -> LedgerStatus:
    """The work's result, unless a child gives up first."""
    failed = asyncio.ensure_future(platform.failed())
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({failed, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await failed
        return await working
    finally:
        for task in (failed, working):
            task.cancel()
        await asyncio.gather(failed, working, return_exceptions=True)


async def _watched(platform: Platform, session: Session, disturb: Disturb | None) -> LedgerStatus:
    """Wait for the end of the session and of what disturbs it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_disturb(session, platform, disturb))
        committed = tasks.create_task(until_committed(platform, session, _nobody))
    return committed.result()


async def _disturb(session: Session, platform: Platform, disturb: Disturb | None) -> None:
    if disturb is None:
        return
    client = await connect(platform.bus.url, platform.bus.seed_file(OPERATOR), "disturber")
    try:
        await disturb(Running(session, platform, client))
    finally:
        await client.close()


def _nobody(done: int, closes: int, close_time: int) -> None:
    """Nobody watches."""


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)
