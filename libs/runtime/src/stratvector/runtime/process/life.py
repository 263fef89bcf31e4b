"""life: one service process from its first port to its drain.

http port ─▶ bus ─▶ build ─▶ gRPC port ─▶ portfolios as they are found ─▶ main coroutines
                                                                 │   beside their lanes' keepers
                            SIGTERM, a defect ─▶ drain ◀─────────┘
"""

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from inspect import isawaitable
from typing import Any

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Page, Service, Servicer, Tasks
from stratvector.runtime.jetstream.connection import BusClient
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LostOwnership, Stored
from stratvector.runtime.process.beginnings import Beginnings, Begun
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.finding import Found
from stratvector.runtime.process.forwarding import Owners, address_of
from stratvector.runtime.process.foundation import Foundation, NoLedgerStore
from stratvector.runtime.process.grpc_server import GrpcPort
from stratvector.runtime.process.http_port import HttpPort
from stratvector.runtime.process.logs import described, log_loop_errors, logger, trace_of
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.quarantine import (
    BUCKET,
    FAILURES_MAX,
    count_failure,
    quarantine,
    refused,
)
from stratvector.runtime.process.settings import ProcessSettings
from stratvector.runtime.process.status import Heartbeat, State, Status
from stratvector.runtime.process.transport import current_transport
from stratvector.runtime.process.work import Ended, Part, Work, cancel
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.spread import Spread

STOPPED, FAILED, REFUSED = 0, 1, 78
PULSE_SECONDS = 0.2
QUARANTINE_SECONDS_MAX = 5.0
LEAVE_SECONDS_MAX = 1.0
FIRST_SECONDS_MAX = 2.0
STEP_SECONDS_MIN = 0.2


class Life:
    """One start of one service; made and run once, inside the event loop."""

    def __init__(
        self,
        service: str,
        instance: str,
        settings: ProcessSettings,
        metrics: ProcessMetrics,
        foundation: Foundation,
    ) -> None:
        self._service, self._instance, self._settings = service, instance, settings
        self._foundation, self._metrics = foundation, metrics
        self._log = logger()
        self._status = Status(parts=self._parts, trouble=self._trouble)
        self._pages: dict[str, Page] = {}
        self._heartbeat = Heartbeat(settings.stall_seconds)
        self._stop = asyncio.Event()
        self._grpc: GrpcPort | None = None
        self._told_address = ""
        self._service_made = Service()
        self._work: Work | None = None
        self._beginnings: Beginnings | None = None
        self._spread: Spread | None = None

    async def run(self) -> int:
        """Start, work, drain; the exit code. Raises CannotStart."""
        loop, settings = asyncio.get_running_loop(), self._settings
        log_loop_errors(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        http = HttpPort(
            settings.host,
            settings.http_port,
            self._metrics.registry,
            self._status,
            self._heartbeat,
            self._pages,
            settings.allowed_hosts,
            current_transport(),
        )
        self._log.info("listening", http_port=http.port)
        pulse = asyncio.create_task(self._pulse(), name="pulse")
        try:
            return await self._live()
        finally:
            try:
                await self._drain()
            finally:
                await cancel({pulse}, STEP_SECONDS_MIN)
                http.close()

    async def _live(self) -> int:
        starting = asyncio.create_task(self._start(), name="start")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            waited: set[asyncio.Future[Any]] = {starting, stop}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return await self._attend(*starting.result(), stop) if starting.done() else STOPPED
        finally:
            await cancel({starting}, self._settings.drain_seconds / 2)
            await cancel({stop}, STEP_SECONDS_MIN)

    async def _start(self) -> tuple[Work, Beginnings]:
        """Everything up to looking for portfolios. Raises CannotStart."""
        status, foundation = self._status, self._foundation
        build = foundation.build(self._waits_for, self._address, self._begin_more)
        self._service_made = service = await build
        self._work = work = Work(service.main)
        grpc = self._make_grpc(service.servicers)
        self._metrics.watch(self._lanes, service.collectors)
        self._begin_to_spread(work)
        self._pages.update(service.pages)
        self._beginnings = beginnings = Beginnings(foundation.found(), self._begin)
        status.idle = foundation.idle
        if service.begin is not None:
            # Who asks a replica that has just come must not hear that there is no portfolio.
            await beginnings.begun_first(FIRST_SECONDS_MAX)
        await grpc.start()
        self._log.info("listening", grpc_port=grpc.port)
        status.started = True
        _keep_what_is_there()
        return work, beginnings

    def _make_grpc(self, servicers: Sequence[Servicer]) -> GrpcPort:
        settings, ports = self._settings, self._foundation.ports
        owners = None if ports is None else Owners(self._service, ports.key_value, ports.address)
        place = settings.host, settings.grpc_port
        self._grpc = grpc = GrpcPort(*place, servicers, owners, current_transport())
        return grpc

    def _begin_to_spread(self, work: Work) -> None:
        """Be a member of the service, where it has lanes that can move."""
        ports = self._foundation.ports
        if ports is None or ports.members is None:
            return
        ready = self._status.is_ready
        self._spread = spread = Spread(self._service, ports, ports.members, work, ready)
        work.begin("", Tasks([spread.run()]))

    def _address(self) -> str:
        """Where other instances reach this one; empty while it does not listen."""
        settings, grpc = self._settings, self._grpc
        if grpc is None:
            return ""
        if settings.advertised_address:
            return settings.advertised_address
        self._told_address = address_of(settings.host, grpc.port, self._told_address)
        return self._told_address

    async def _begin(self, found: Found) -> Tasks:
        """The coroutines of a portfolio. Raises BadSession, CannotStart."""
        status, beginnings, begin = self._status, self._beginnings, self._service_made.begin
        assert beginnings is not None
        assert begin is not None, f"{self._service} works for no portfolio"
        status.refused = {k: why for k, why in status.refused.items() if k != found.key}
        if not beginnings.served:
            status.beginning = (*status.beginning, found.key)
        status.idle = ""
        session = found.read()
        _ = session.portfolio, session.start
        built = begin(Deployment(session=session, ledger_store=NoLedgerStore()))
        return await built if isawaitable(built) else built

    def _begin_more(self, key: str, tasks: Tasks) -> None:
        """Coroutines that a portfolio needs from now on, beside those that it began with."""
        assert self._work is not None
        self._work.begin(key, tasks)
        self._log.info("begun_more", portfolio=key, parts=len(tasks.main))

    async def _attend(self, work: Work, beginnings: Beginnings, stop: asyncio.Task[bool]) -> int:
        """Look after what begins and ends until the process must; the exit code."""
        sent_away = self._foundation.sent_away
        ending = asyncio.create_task(work.ended(), name="ended")
        beginning = asyncio.create_task(beginnings.next(), name="begun")
        try:
            while True:
                waited: set[asyncio.Future[Any]] = {stop, ending, beginning, sent_away}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    return STOPPED
                if sent_away.done():
                    raise CannotStart(sent_away.result())
                if beginning.done():
                    self._take_up(work, beginnings, beginning.result())
                    beginning = asyncio.create_task(beginnings.next(), name="begun")
                if ending.done():
                    for ended in ending.result():
                        if (code := await self._settle(work, ended)) is not None:
                            return code
                    ending = asyncio.create_task(work.ended(), name="ended")
        finally:
            await cancel({ending, beginning}, STEP_SECONDS_MIN)

    def _take_up(self, work: Work, beginnings: Beginnings, begun: Begun) -> None:
        """Work for a portfolio that has begun, or say why not. Raises CannotStart."""
        if isinstance(begun.outcome, CannotStart):
            self._refuse(begun.key, begun.outcome)
        else:
            work.begin(begun.key, begun.outcome)
            self._log.info("begun", portfolio=begun.key, parts=len(begun.outcome.main))
            self._status.beginning = ()
            _keep_what_is_there()
        if not beginnings.served:
            self._status.beginning = beginnings.waiting

    def _refuse(self, key: str, error: CannotStart) -> None:
        """A portfolio that can't be served here stays where it is, and says why. Where the process
        serves no other it ends: whoever started it for this one is told. Raises CannotStart.
        """
        refused, beginnings = self._status.refused, self._beginnings
        assert beginnings is not None
        if not ({*beginnings.served, *beginnings.waiting} - {key, *refused}):
            raise error
        self._status.refused = {**refused, key: str(error)}
        self._log.error("refused", portfolio=key, reason=str(error))

    async def _settle(self, work: Work, ended: Ended) -> int | None:
        """What the end of one coroutine means: an exit code, or None to go on without it."""
        stored = refused(ended.error, ended.at_hand)
        part = ended.part
        if stored is not None:
            await self._halt(part, stored, str(ended.error))
            return None
        match ended.error:
            case None:
                part.finished = True
                self._log.info("part_finished", part=part.number, portfolio=part.session)
                return None
            case LostOwnership() as error if part.again is not None:
                self._log.warning("lost_lane", portfolio=part.session, reason=str(error))
                await work.begin_anew(part)
                return None
            case CannotStart() | BadSession() as error:
                told = error if isinstance(error, CannotStart) else CannotStart(f"session: {error}")
                if not part.session:
                    raise told
                self._refuse(part.session, told)
                part.halted = f"{part.session}: {told}"
                return None
            case error:
                self._log.critical(
                    "defect", reason=described(error), exc_info=error, **trace_of(ended.at_hand)
                )
                return FAILED if not await self._fails_for_good(ended) else None

    async def _fails_for_good(self, ended: Ended) -> bool:
        """Whether a part has failed at its message so often that it halts; the process lives on.

        False where nobody can count: without a message or a bus, a start is tried again.
        """
        stored, client = ended.at_hand, self._foundation.client
        if stored is None or client is None:
            return False
        try:
            async with asyncio.timeout(QUARANTINE_SECONDS_MAX):
                bucket = JetStreamKeyValue(client, BUCKET)
                count = await count_failure(bucket, self._service, stored)
        except TimeoutError:
            return False
        self._log.error("failure_counted", count=count, message=_place(stored))
        if count < FAILURES_MAX:
            return False
        why = f"{count} attempts failed, the last with {type(ended.error).__name__}: {ended.error}"
        await self._halt(ended.part, stored, why)
        return True

    async def _halt(self, part: Part, stored: Stored, reason: str) -> None:
        """Keep the message for a person; the part of the work that met it stays where it is."""
        place = _place(stored)
        told = f"{place} can't be processed: {reason.rstrip('.')}"
        if part.lane is not None:
            told += f"; lane {part.lane.subject} is halted"
        part.halted = told
        self._metrics.quarantined.inc()
        client = self._foundation.client
        assert client is not None
        bucket = JetStreamKeyValue(client, BUCKET)
        try:
            async with asyncio.timeout(QUARANTINE_SECONDS_MAX):
                key = await quarantine(bucket, self._service, self._instance, stored, reason)
        except TimeoutError:
            key = "not written: the bus does not answer"
        self._log.error(
            "halted",
            message=place,
            reason=reason,
            id=stored.message.id,
            quarantine=key,
            **trace_of(stored),
        )

    async def _drain(self) -> None:
        """Not ready, main work, lanes, gRPC, the service's own, bus: each in the time left."""
        self._status.draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_seconds

        def left() -> float:
            return max(deadline - loop.time(), STEP_SECONDS_MIN)

        self._log.info("draining", seconds_max=self._settings.drain_seconds)
        if self._grpc is not None:
            await self._grpc.tell(False)
        if self._beginnings is not None:
            await self._beginnings.end(left() / 4)
        if self._work is not None:
            heirs = await self._heirs(min(LEAVE_SECONDS_MAX, left() / 4))
            await self._work.stop_main(left() / 2)
            kept = await self._work.hand_over(left() / 2, heirs)
            if kept:
                self._log.warning("lanes_not_handed_over", lanes=kept)
        if self._grpc is not None:
            await self._grpc.stop(left() / 2)
            self._grpc = None
            # Of calls that were under way when something was kept, the rest goes now.
            gc.unfreeze()
            gc.collect()
        if (close := self._service_made.close) is not None:
            await self._close_service(close, left() / 2)
        if (client := self._foundation.client) is not None:
            await self._close_bus(client, left())

    async def _heirs(self, seconds: float) -> Mapping[str, str]:
        """Who takes each lane; who comes first where the bus does not answer."""
        if self._spread is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self._spread.leave()
        return {}

    async def _close_service(self, close: Callable[[], None], seconds: float) -> None:
        """What the service keeps open; whatever goes wrong, the rest of the drain follows."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(close)
        except Exception:  # noqa: BLE001 - told in the log; the service's record is in its store
            self._log.error("not_closed", exc_info=True)

    async def _close_bus(self, client: BusClient, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await client.close()
        except TimeoutError:
            self._log.error("bus_not_closed", seconds=seconds)

    async def _pulse(self) -> None:
        """Beat, and tell the log and gRPC health when the state changed."""
        told: tuple[State, bool, str] | None = None
        while True:
            self._heartbeat.beat()
            status = self._status
            now = (status.state(), status.is_ready(), status.reason())
            if now != told:
                lanes = {lane.subject: lane.epoch for lane in self._lanes()}
                self._log.info("state", state=now[0], ready=now[1], reason=now[2], epochs=lanes)
                if self._grpc is not None:
                    await self._grpc.tell(now[1])
                told = now
            await asyncio.sleep(PULSE_SECONDS)

    def _trouble(self) -> str:
        return self._foundation.trouble() or self._service_made.trouble()

    def _parts(self) -> tuple[Part, ...]:
        return self._work.parts if self._work is not None else ()

    def _lanes(self) -> tuple[Lane, ...]:
        return tuple(part.lane for part in self._parts() if part.lane is not None)

    def _waits_for(self, what: str) -> None:
        self._status.waiting_for = what

    def _asked_to_stop(self, number: signal.Signals) -> None:
        self._log.info("asked_to_stop", signal=signal.Signals(number).name)
        self._stop.set()


def _place(stored: Stored) -> str:
    return f"message {stored.sequence} of {stored.message.subject}"


def _keep_what_is_there() -> None:
    """Modules, classes and parts live as long as the process: the collector need not visit them
    each time that messages come and go.
    """
    gc.collect()
    gc.freeze()
