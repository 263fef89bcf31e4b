"""traced_bus: a bus on which each stored message is a span; imported only where somebody traces.

    bars of t ──▶ signals of t            a trace is a close; a span is a message
        └──▶ fills of t ──▶ orders of t   ids are those of the message's `traceparent`
                 ┆ link
            orders of t - 1

A span begins when its publisher took the last message that it needed, and ends when the bus has
stored what came of it. Its parent is the newest message of the same close among those; the others,
and those of other closes, are links.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from secrets import randbits

from opentelemetry import context as otel_context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from stratvector.runtime.jetstream.wire import traceparent
from stratvector.runtime.ports import Arrivals, Bus, Message, Published, PublishUnknown, Stored
from stratvector.trading.timestamps import utc_text

TAKEN_MAX = 32  # links of one span; a follower takes far more than it publishes
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
SCOPE = InstrumentationScope("stratvector.runtime")
UNSET = Status(StatusCode.UNSET)
Attributes = dict[str, str | int | float]


class _Course:
    """What one coroutine did since it published last.

    taken : spans of messages, oldest first. newest : the message taken last, ever. taken_at : when,
    ns UTC; 0 after a publish.
    """

    def __init__(self) -> None:
        self.taken: deque[SpanContext] = deque(maxlen=TAKEN_MAX)
        self.newest: SpanContext | None = None
        self.taken_at = 0


_COURSE: ContextVar[_Course | None] = ContextVar("course", default=None)


class MessageSpans:
    """Speaks `ports.Spans`, and builds the span of a stored message.

    ended : takes each span, on any thread.
    """

    def __init__(self, ended: Callable[[ReadableSpan], None], resource: Resource) -> None:
        self._ended, self._resource = ended, resource

    def taken(self, stored: Stored) -> None:
        """Work on a message from here on; gRPC calls that follow belong to its trace."""
        span = _span_of(stored.message)
        if span is None:
            return
        course = _course()
        course.taken.append(span)
        course.newest, course.taken_at = span, time.time_ns()
        otel_context.attach(set_span_in_context(NonRecordingSpan(span)))

    def open(self, name: str, close_time: int) -> Callable[[], None]:
        """A span of a close that begins with the last message taken, until its end is told."""
        trace = _trace_of(close_time)
        course = _course()
        parent = _newest_of(trace, course)
        begun_at = course.taken_at or time.time_ns()
        span = SpanContext(trace, randbits(64) or 1, False, SAMPLED)
        attributes: Attributes = {"stratvector.close_time": utc_text(close_time)}

        def end() -> None:
            self._end(name, span, parent, (), attributes, SpanKind.INTERNAL, begun_at)

        return end

    def stored(self, message: Message, begun_at: int) -> None:
        """The span of a message that the bus has just stored, published at `begun_at` (ns UTC)."""
        course = _course()
        span = _span_at(message.event_time, message.id)
        parent = _newest_of(span.trace_id, course)
        links = [Link(taken) for taken in course.taken if taken is not parent]
        noun = message.subject.split(".", 1)[0]
        attributes: Attributes = {
            "messaging.system": "nats",
            "messaging.operation.type": "send",
            "messaging.destination.name": message.subject,
            "messaging.message.id": message.id,
            "messaging.message.body.size": len(message.payload),
            "stratvector.noun": noun,
            "stratvector.close_time": utc_text(message.event_time),
            "stratvector.epoch": message.epoch,
            "stratvector.publish_seconds": (time.time_ns() - begun_at) / 1e9,
        }
        name, begun_at = f"publish {noun}", course.taken_at or begun_at
        self._end(name, span, parent, links, attributes, SpanKind.PRODUCER, begun_at)
        course.taken.clear()
        course.taken_at = 0

    def _end(
        self,
        name: str,
        span: SpanContext,
        parent: SpanContext | None,
        links: Sequence[Link],
        attributes: Attributes,
        kind: SpanKind,
        begun_at: int,
    ) -> None:
        self._ended(
            ReadableSpan(
                name=name,
                context=span,
                parent=parent,
                resource=self._resource,
                attributes=attributes,
                links=links,
                kind=kind,
                status=UNSET,
                start_time=begun_at,
                # Spans of a clock that was set back would end before they began.
                end_time=max(time.time_ns(), begun_at),
                instrumentation_scope=SCOPE,
            )
        )


class TracedBus:
    """Another bus, of which each message about a close that is stored now becomes one span.

    What was stored before is none of this process's: an answer `duplicate` makes no span. A publish
    without an answer makes its span when the log shows it.
    """

    def __init__(self, bus: Bus, spans: MessageSpans) -> None:
        self._bus, self._spans = bus, spans
        self._unanswered: dict[str, tuple[Message, int]] = {}

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """The bus's publish."""
        begun_at = time.time_ns()
        try:
            answer = await self._bus.publish(message, expected_sequence)
        except PublishUnknown:
            if message.event_time:
                self._unanswered.setdefault(message.subject, (message, begun_at))
            raise
        if message.event_time and not answer.duplicate:
            self._unanswered.pop(message.subject, None)
            self._spans.stored(message, begun_at)
        return answer

    async def last(self, subject: str) -> Stored | None:
        """The bus's last; it may be what got no answer."""
        stored = await self._bus.last(subject)
        message, begun_at = self._unanswered.get(subject, (None, 0))
        if message is not None and stored is not None and stored.message == message:
            del self._unanswered[subject]
            self._spans.stored(message, begun_at)
        return stored

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """The bus's read."""
        return await self._bus.read(subject, after, limit)

    async def arrivals(self, subject: str) -> Arrivals:
        """The bus's arrivals."""
        return await self._bus.arrivals(subject)


def _course() -> _Course:
    course = _COURSE.get()
    if course is None:
        course = _Course()
        _COURSE.set(course)
    return course


def _newest_of(trace: int, course: _Course) -> SpanContext | None:
    """The newest message of a trace that this coroutine took since it published, or took last."""
    for span in reversed(course.taken):
        if span.trace_id == trace:
            return span
    newest = course.newest
    return newest if newest is not None and newest.trace_id == trace else None


def _span_of(message: Message) -> SpanContext | None:
    """The span of a message that was read; None when nobody told its trace."""
    if not message.trace_id:
        return None
    span = int.from_bytes(hashlib.sha256(message.id.encode()).digest()[:8])
    return SpanContext(int(message.trace_id, 16), span, True, SAMPLED)


def _span_at(close_time: int, id: str) -> SpanContext:
    _, trace, span, _ = traceparent(close_time, id).split("-")
    return SpanContext(int(trace, 16), int(span, 16), False, SAMPLED)


def _trace_of(close_time: int) -> int:
    return _span_at(close_time, "").trace_id
