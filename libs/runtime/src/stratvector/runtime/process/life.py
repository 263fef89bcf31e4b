"""life: one service process from its first port to its drain.

http port ─▶ session ─▶ bus ─▶ build ─▶ gRPC port ─▶ main coroutines beside their lanes' keepers
                                                          │
      SIGTERM, LostOwnership, a defect ─▶ drain ◀─────────┘
"""

import asyncio
import gc
import signal
from collections.abc import Callable
from typing import Any

from stratvector.runtime.host import Page
from stratvector.runtime.jetstream.connection import BusClient
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.ports import LostOwnership, Stored
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.foundation import Foundation
from stratvector.runtime.process.grpc_server import GrpcPort
from stratvector.runtime.process.http_port import HttpPort
from stratvector.runtime.process.logs import log_loop_errors, logger, trace_of
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
from stratvector.runtime.process.work import Ended, Work, cancel
from stratvector.runtime.session_document import BadSession

STOPPED, FAILED, LOST, REFUSED = 0, 1, 75, 78
PULSE_SECONDS = 0.2
QUARANTINE_SECONDS_MAX = 5.0
LOST_HAND_OVER_SECONDS = 0.5
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
        self._status = Status(trouble=self._trouble)
        self._pages: dict[str, Page] = {}
        self._heartbeat = Heartbeat(settings.stall_seconds)
        self._stop = asyncio.Event()
        self._grpc: GrpcPort | None = None
        self._work: Work | None = None
        self._close: Callable[[], None] | None = None
        self._own_trouble: Callable[[], str] = str

    async def run(self) -> int:
        """Start, work, drain; the exit code. Raises CannotStart.

        After LOST nothing is drained: the caller ends the process at once.
        """
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
        )
        self._log.info("listening", http_port=http.port)
        pulse = asyncio.create_task(self._pulse(), name="pulse")
        code = FAILED
        try:
            code = await self._live()
        finally:
            if code != LOST:
                try:
                    await self._drain()
                finally:
                    await cancel({pulse}, STEP_SECONDS_MIN)
                    http.close()
        return code

    async def _live(self) -> int:
        starting = asyncio.create_task(self._start(), name="start")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            waited: set[asyncio.Future[Any]] = {starting, stop}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return await self._attend(starting.result(), stop) if starting.done() else STOPPED
        finally:
            await cancel({starting}, self._settings.drain_seconds / 2)
            await cancel({stop}, STEP_SECONDS_MIN)

    async def _start(self) -> Work:
        """Everything up to running coroutines. Raises CannotStart."""
        settings, status = self._settings, self._status
        tasks = await self._foundation.build(self._waits_for, self._idles)
        self._close, self._own_trouble = tasks.close, tasks.trouble
        self._work = work = Work(tasks)
        self._grpc = GrpcPort(settings.host, settings.grpc_port, tasks.servicers)
        await self._grpc.start()
        self._log.info("listening", grpc_port=self._grpc.port)
        self._metrics.watch(tasks.lanes, tasks.collectors)
        self._pages.update(tasks.pages)
        status.lanes, status.mains = tuple(tasks.lanes), len(tasks.main)
        status.started = True
        _keep_what_is_there()
        return work

    async def _attend(self, work: Work, stop: asyncio.Task[bool]) -> int:
        """Look after what ends until the process must; the exit code."""
        sent_away = self._foundation.sent_away
        while True:
            ending = asyncio.create_task(work.ended(), name="ended")
            try:
                waited: set[asyncio.Future[Any]] = {stop, ending, sent_away}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    return STOPPED
                if sent_away.done():
                    raise CannotStart(sent_away.result())
                for ended in ending.result():
                    code = await self._settle(work, ended)
                    if code is not None:
                        return code
            finally:
                await cancel({ending}, STEP_SECONDS_MIN)

    async def _settle(self, work: Work, ended: Ended) -> int | None:
        """What the end of one coroutine means: an exit code, or None to go on without it."""
        stored = refused(ended.error, ended.at_hand)
        if stored is not None and ended.number is not None:
            await self._halt(ended.number, stored, str(ended.error))
            return None
        match ended.error:
            case None:
                assert ended.number is not None
                self._status.finished.add(ended.number)
                self._log.info("part_finished", part=ended.number)
                return None
            case LostOwnership() as error:
                await self._leave(work, str(error))
                return LOST
            case CannotStart() as error:
                raise error
            case BadSession() as error:
                raise CannotStart(f"session: {error}") from None
            case error:
                self._log.critical("defect", exc_info=error, **trace_of(ended.at_hand))
                return FAILED if not await self._fails_for_good(ended) else None

    async def _fails_for_good(self, ended: Ended) -> bool:
        """Whether a part has failed at its message so often that it halts; the process lives on.

        False where nobody can count: without a message or a bus, a start is tried again.
        """
        stored, client = ended.at_hand, self._foundation.client
        if stored is None or ended.number is None or client is None:
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
        await self._halt(ended.number, stored, why)
        return True

    async def _halt(self, number: int, stored: Stored, reason: str) -> None:
        """Keep the message for a person; the part of the work that met it stays where it is."""
        place, lanes = _place(stored), self._status.lanes
        told = f"{place} can't be processed: {reason.rstrip('.')}"
        if number < len(lanes):
            told += f"; lane {lanes[number].subject} is halted"
        self._status.halted[number] = told
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

    async def _leave(self, work: Work, reason: str) -> None:
        """Stop everything now; only lanes that are still ours are given over, if that is quick."""
        self._status.draining = True
        lost = work.lost_lanes()
        await work.stop_main(LOST_HAND_OVER_SECONDS)
        kept = await work.hand_over(LOST_HAND_OVER_SECONDS)
        self._log.error("lost_ownership", lanes=lost, reason=reason, not_handed_over=kept)

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
        if self._work is not None:
            await self._work.stop_main(left() / 2)
            kept = await self._work.hand_over(left() / 2)
            if kept:
                self._log.warning("lanes_not_handed_over", lanes=kept)
        if self._grpc is not None:
            await self._grpc.stop(left() / 2)
            self._grpc = None
        if self._close is not None:
            await self._close_service(self._close, left() / 2)
        if (client := self._foundation.client) is not None:
            await self._close_bus(client, left())

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
                lanes = {lane.subject: lane.epoch for lane in status.lanes}
                self._log.info("state", state=now[0], ready=now[1], reason=now[2], epochs=lanes)
                if self._grpc is not None:
                    await self._grpc.tell(now[1])
                told = now
            await asyncio.sleep(PULSE_SECONDS)

    def _trouble(self) -> str:
        return self._foundation.trouble() or self._own_trouble()

    def _waits_for(self, what: str) -> None:
        self._status.waiting_for = what

    def _idles(self, why: str) -> None:
        self._status.idle = why

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
