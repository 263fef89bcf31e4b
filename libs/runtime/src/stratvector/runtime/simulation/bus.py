"""bus: a simulated JetStream with the semantics that the services rely on.

Sequences count per stream; the expected last sequence of the subject is checked before
de-duplication; ids are de-duplicated over the whole stream within a finite window; nothing stored
is ever removed (Limits retention), unless somebody purges it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.ports import (
    Kind,
    Message,
    Published,
    PublishUnknown,
    Stored,
    WrongSequence,
)
from stratvector.runtime.simulation.arrivals import Listen, SimulatedArrivals
from stratvector.runtime.simulation.clock import UTC_ORIGIN
from stratvector.runtime.simulation.effect import Call, Channel, Scheduler
from stratvector.trading.flow import stream_of
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND

DEDUPLICATION_SECONDS = 120.0


class Stream:
    """What all subjects of a stream share. seen : id -> its sequence and when it was stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self.seen: dict[str, tuple[int, float]] = {}


class SubjectLog:
    """The messages of one subject."""

    def __init__(self, subject: str, stream: Stream) -> None:
        self.subject = subject
        self.stream = stream
        self.kind = f"publish {stream.name}"
        self.messages: list[Stored] = []
        self.listeners: list[SimulatedArrivals] = []

    @property
    def last(self) -> Stored | None:
        """The newest message."""
        return self.messages[-1] if self.messages else None

    def above(self, sequence: int, limit: int) -> list[Stored]:
        """Up to `limit` messages with a higher sequence."""
        first = bisect_right(self.messages, sequence, key=_sequence)
        return self.messages[first : first + limit]


class SimulatedBus:
    """The log; it survives every crash. journal : all messages in the order of storing, those that
    are purged included.
    """

    def __init__(
        self, scheduler: Scheduler, deduplication_seconds: float = DEDUPLICATION_SECONDS
    ) -> None:
        self.journal: list[Stored] = []
        self._times: dict[Stored, int] = {}
        self._scheduler = scheduler
        self._deduplication_seconds = deduplication_seconds
        self._streams: dict[str, Stream] = {}
        self._logs: dict[str, SubjectLog] = {}

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """Store a message if its subject's last sequence is the expected one."""
        log = self._log(message.subject)
        perform = partial(self._store, log, message, expected_sequence)
        return await Call(log.kind, message.subject, Channel.PUBLISH, perform, PublishUnknown)

    async def last(self, subject: str) -> Stored | None:
        """The newest message of a subject."""
        log = self._log(subject)
        return await Call("bus last", subject, Channel.READ, lambda: log.last)

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """Up to `limit` messages of a subject, or of all below one, above a sequence."""
        perform = partial(self._above, subject, after, limit)
        return await Call("bus read", subject, Channel.READ, perform)

    async def arrivals(self, subject: str) -> SimulatedArrivals:
        """Listen to a subject, until this process ends."""
        return await Listen(subject, self._log(subject))

    async def purge(self, subject: str, below: int) -> int:
        """Remove the messages of a subject with a lower sequence, but for its last one."""
        perform = partial(self._purge, self._log(subject), below)
        return await Call("bus purge", subject, Channel.READ, perform)

    def _purge(self, log: SubjectLog, below: int) -> int:
        stay = [one for one in log.messages[:-1] if one.sequence >= below] + log.messages[-1:]
        purged, log.messages = len(log.messages) - len(stay), stay
        return purged

    def utc_of(self, stored: Stored) -> int:
        """When a message was stored, ns of the world's own UTC; no service is told."""
        return self._times[stored]

    def contents(self, subject: str) -> list[Stored]:
        """The content of a subject that every reader admits, for a look from outside."""
        epochs = EpochFilter()
        return [s for s in self._log(subject).messages if epochs.admits(s.message)]

    def _above(self, subject: str, after: int, limit: int) -> Sequence[Stored]:
        if not subject.endswith(">"):
            return self._log(subject).above(after, limit)
        of_stream = self._streams.get(stream_of(subject))
        logs = [log for log in self._logs.values() if log.stream is of_stream]
        below = [s for log in logs if log.subject.startswith(subject[:-1]) for s in log.messages]
        return sorted((s for s in below if s.sequence > after), key=_sequence)[:limit]

    def _log(self, subject: str) -> SubjectLog:
        log = self._logs.get(subject)
        if log is None:
            name = stream_of(subject)
            stream = self._streams.setdefault(name, Stream(name))
            log = self._logs[subject] = SubjectLog(subject, stream)
        return log

    def _store(self, log: SubjectLog, message: Message, expected: int) -> Published:
        last = log.last
        actual = 0 if last is None else last.sequence
        if actual != expected:
            raise WrongSequence(log.subject, expected, actual)
        stream, now = log.stream, self._scheduler.now
        seen = stream.seen.get(message.id)
        if seen is not None and now - seen[1] < self._deduplication_seconds:
            return Published(seen[0], duplicate=True)
        stream.sequence += 1
        stream.seen[message.id] = (stream.sequence, now)
        stored = Stored(message, stream.sequence, actual)
        self._times[stored] = UTC_ORIGIN + round(now * NANOSECONDS_PER_SECOND)
        log.messages.append(stored)
        self.journal.append(stored)
        if message.kind is not Kind.OWNER:
            self._scheduler.progress()
        log.listeners = [one for one in log.listeners if one.is_open]
        for listener in log.listeners:
            listener.send(stored)
        return Published(stream.sequence, duplicate=False)


def _sequence(stored: Stored) -> int:
    return stored.sequence
