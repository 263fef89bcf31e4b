"""metered_bus: a bus that counts what goes through it; only processes stand on one."""

import time
from collections.abc import Sequence

import structlog
from prometheus_client import Counter, Histogram

from stratvector.runtime.ports import Arrivals, Bus, Message, Published, PublishUnknown, Stored
from stratvector.runtime.process.metrics import ProcessMetrics


class MeteredBus:
    """Another bus, counted per subject. It also remembers what it did not store: a server whose
    disk is full goes on answering reads and renewals, and nobody else would tell.
    """

    def __init__(self, bus: Bus, metrics: ProcessMetrics) -> None:
        self._bus, self._metrics = bus, metrics
        self._published: dict[str, Counter] = {}
        self._unanswered: dict[str, str] = {}
        self._log = structlog.get_logger("stratvector.bus")

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """The bus's publish; counted when it stored, timed also when it failed."""
        begun_at = time.perf_counter()
        subject = message.subject
        try:
            answer = await self._bus.publish(message, expected_sequence)
        except PublishUnknown as error:
            self._unanswered[subject] = message.id
            self._metrics.unstored[subject] = str(error)
            self._log.warning("not stored yet", lane=subject, id=message.id, why=str(error))
            raise
        finally:
            self._metrics.publish_seconds.observe(time.perf_counter() - begun_at)
        self._answered(subject)
        if message.event_time:
            self._metrics.closes[subject] = message.event_time
        counter = self._published.get(message.subject)
        if counter is None:
            counter = self._metrics.published.labels(message.subject)
            self._published[message.subject] = counter
        counter.inc()
        return answer

    async def last(self, subject: str) -> Stored | None:
        """The bus's last; it may be what got no answer."""
        stored = await self._bus.last(subject)
        if stored is not None and stored.message.id == self._unanswered.get(subject):
            self._answered(subject)
        return stored

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """The bus's read, counted by the page."""
        page = await self._bus.read(subject, after, limit)
        self._metrics.received.labels(subject).inc(len(page))
        return page

    async def arrivals(self, subject: str) -> Arrivals:
        """The bus's arrivals, counted."""
        counter = self._metrics.received.labels(subject)
        waited = self._metrics.waited.labels(subject.partition(".")[0])
        return _MeteredArrivals(await self._bus.arrivals(subject), counter, waited)

    def _answered(self, subject: str) -> None:
        if self._unanswered.pop(subject, None) is not None:
            self._metrics.unstored.pop(subject, None)


class _MeteredArrivals:
    """Other arrivals, counted and timed by the wall clock, as the server's time is."""

    def __init__(self, arrivals: Arrivals, received: Counter, waited: Histogram) -> None:
        self._arrivals, self._received, self._waited = arrivals, received, waited

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The arrivals' next."""
        stored = await self._arrivals.next(timeout_seconds)
        if stored is not None:
            self._received.inc()
            if stored.stored_at:
                self._waited.observe(max(0.0, (time.time_ns() - stored.stored_at) / 1e9))
        return stored

    async def close(self) -> None:
        """The arrivals' close."""
        await self._arrivals.close()
