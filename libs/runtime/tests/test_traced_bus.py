"""Each message that is stored is one span, whose ids, parent and links are those of the log."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import get_current_span

from stratvector.runtime.inbox import Inbox
from stratvector.runtime.jetstream.wire import traceparent
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import (
    Bus,
    Message,
    Ports,
    PublishUnknown,
    Stored,
)
from stratvector.runtime.process.traced_bus import TAKEN_MAX, MessageSpans, TracedBus
from stratvector.runtime.simulation.fate import Fate, FaultPlan, Loss
from tests.bus.still_bus import StillBus

BARS, ORDERS, FILLS = "bars.crypto.1H", "orders.main.paper", "fills.main.paper"
HOUR = 3_600 * 10**9
Play = Callable[..., object]


@pytest.fixture
def alone(play: Play) -> Play:
    """`play` in a context of its own: coroutines of the simulation are no tasks."""
    return partial(copy_context().run, play)


class Traced:
    """Ports that trace into a list. read : the simulated bus keeps no headers, as the real one
    does, so what a reader takes is given its trace here.
    """

    def __init__(self, ports: Ports) -> None:
        self.ended: list[ReadableSpan] = []
        self.spans = MessageSpans(self.ended.append, Resource({"service.name": "script"}))
        self.ports = replace(ports, bus=TracedBus(ports.bus, self.spans), spans=self.spans)

    async def publish(self, subject: str, id: str, close: int, expected: int) -> None:
        message = Message(subject, id, b"12", 1, event_time=close)
        await self.ports.bus.publish(message, expected)

    async def take(self, subject: str, id: str, close: int) -> None:
        last = await self.ports.bus.last(subject)
        assert last is not None
        trace = traceparent(close, id).split("-")[1]
        message = replace(last.message, id=id, trace_id=trace)
        self.spans.taken(replace(last, message=message))

    def told(self, n: int = -1) -> tuple[str, str, list[str]]:
        """Span, parent and links of the n-th span, as names of `span_of`."""
        span = self.ended[n]
        context, parent = span.get_span_context(), span.parent
        assert context is not None
        links = [f"{link.context.span_id:016x}" for link in span.links]
        return f"{context.span_id:016x}", f"{parent.span_id:016x}" if parent else "", links


def span_of(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()[:16]


def test_the_span_of_a_message_has_the_ids_of_its_traceparent(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        begun_at = time.time_ns()
        await traced.publish(BARS, "bars-1", HOUR, 0)
        (span,) = traced.ended
        context = span.get_span_context()
        assert context is not None
        assert f"00-{context.trace_id:032x}-{context.span_id:016x}-01" == traceparent(
            HOUR, "bars-1"
        )
        assert (span.name, span.parent, span.links) == ("publish bars", None, ())
        attributes: dict[str, Any] = dict(span.attributes or {})
        assert attributes.pop("stratvector.publish_seconds") >= 0.0
        assert attributes == {
            "messaging.system": "nats",
            "messaging.operation.type": "send",
            "messaging.destination.name": BARS,
            "messaging.message.id": "bars-1",
            "messaging.message.body.size": 2,
            "stratvector.noun": "bars",
            "stratvector.close_time": "1970-01-01T01:00:00Z",
            "stratvector.epoch": 1,
        }
        assert span.start_time is not None
        assert span.end_time is not None
        assert begun_at <= span.start_time <= span.end_time <= time.time_ns()

    alone(script)


def test_the_parent_is_the_newest_message_of_the_same_close_and_the_others_are_links(
    alone: Play,
) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await traced.publish(BARS, "any", HOUR, 0)
        await traced.take(BARS, "orders-1", HOUR)
        await traced.take(BARS, "bars-2", 2 * HOUR)
        await traced.take(BARS, "late-1", HOUR)
        await traced.publish(FILLS, "fills-2", 2 * HOUR, 0)
        links = [span_of("orders-1"), span_of("late-1")]
        assert traced.told() == (span_of("fills-2"), span_of("bars-2"), links)

    alone(script)


def test_a_second_message_from_one_input_has_the_same_parent_and_no_links(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await traced.publish(BARS, "any", HOUR, 0)
        await traced.take(BARS, "orders-1", HOUR)
        await traced.publish(FILLS, "claim", HOUR, 0)
        await traced.publish(FILLS, "outcome", HOUR, 1)
        assert traced.told(-2) == (span_of("claim"), span_of("orders-1"), [])
        assert traced.told(-1) == (span_of("outcome"), span_of("orders-1"), [])
        await traced.publish(FILLS, "later", 2 * HOUR, 2)
        assert traced.told() == (span_of("later"), "", [])

    alone(script)


def test_a_span_begins_when_its_last_input_was_taken(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await traced.publish(BARS, "any", HOUR, 0)
        await traced.take(BARS, "bars-1", HOUR)
        before = time.time_ns()
        await traced.take(BARS, "signals-1", HOUR)
        after = time.time_ns()
        await traced.publish(ORDERS, "orders-1", HOUR, 0)
        begun_at = traced.ended[-1].start_time
        assert begun_at is not None
        assert before <= begun_at <= after

    alone(script)


def test_a_message_without_a_close_makes_no_span(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await Lane(traced.ports, ORDERS).acquire()
        assert traced.ended == []

    alone(script)


@pytest.mark.parametrize("loss", ["request", "answer"])
def test_a_publish_that_got_no_answer_is_one_span_once_it_is_known_to_be_stored(
    alone: Play, loss: Loss
) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        with pytest.raises(PublishUnknown):
            await traced.publish(ORDERS, "orders-1", HOUR, 0)
        assert traced.ended == []
        if await traced.ports.bus.last(ORDERS) is None:
            await traced.publish(ORDERS, "orders-1", HOUR, 0)
        assert len(traced.ended) == 1
        await traced.ports.bus.last(ORDERS)
        assert len(traced.ended) == 1

    alone(script, [FaultPlan("script", "publish ORDERS", 1, Fate(loss=loss))])


def test_what_was_stored_before_makes_no_second_span(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(Message(ORDERS, "orders-1", b"12", 1, event_time=HOUR), 0)
        traced = Traced(ports)
        answer = await traced.ports.bus.publish(
            Message(ORDERS, "orders-1", b"12", 1, event_time=HOUR), 1
        )
        assert answer.duplicate
        assert await traced.ports.bus.last(ORDERS) is not None
        assert traced.ended == []

    alone(script)


def test_an_inbox_tells_what_it_hands_out_and_not_what_it_fetched(alone: Play) -> None:
    taken: list[str] = []

    class Heard:
        """Ports' spans that only listen."""

        def taken(self, stored: Any) -> None:
            taken.append(stored.message.id)

        def open(self, name: str, close_time: int) -> Callable[[], None]:
            raise AssertionError(name)

    async def script(ports: Ports) -> None:
        heard = replace(ports, spans=Heard())
        for n in range(3):
            await heard.bus.publish(Message(ORDERS, f"id-{n}", b"", 1), n)
        inbox = Inbox(heard, ORDERS, follows=True)
        assert await inbox.look(1.0)
        assert taken == []
        await inbox.next()
        await inbox.next()
        assert taken == ["id-0", "id-1"]

    alone(script)


def test_a_follower_that_seldom_publishes_links_to_its_newest_messages_only(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await traced.publish(BARS, "any", HOUR, 0)
        for n in range(3 * TAKEN_MAX):
            await traced.take(BARS, f"orders-{n}", n * HOUR)
        await traced.publish(FILLS, "one", 10**6 * HOUR, 0)
        newest = range(2 * TAKEN_MAX, 3 * TAKEN_MAX)
        assert traced.told()[2] == [span_of(f"orders-{n}") for n in newest]

    alone(script)


def test_an_opened_span_belongs_to_its_close_and_ends_when_told(alone: Play) -> None:
    async def script(ports: Ports) -> None:
        traced = Traced(ports)
        await traced.publish(BARS, "any", HOUR, 0)
        await traced.take(BARS, "orders-1", HOUR)
        end = traced.spans.open("record close", HOUR)
        await traced.take(BARS, "orders-2", 2 * HOUR)
        assert len(traced.ended) == 1
        end()
        span = traced.ended[-1]
        assert (span.name, traced.told()[1]) == ("record close", span_of("orders-1"))
        context = span.get_span_context()
        assert context is not None
        assert f"{context.trace_id:032x}" == traceparent(HOUR, "").split("-")[1]

    alone(script)


def test_two_coroutines_have_courses_of_their_own_and_calls_belong_to_their_traces() -> None:
    ended: list[ReadableSpan] = []
    spans = MessageSpans(ended.append, Resource({}))

    async def work(id: str, both_took: asyncio.Event) -> str:
        trace = traceparent(HOUR, id).split("-")[1]
        spans.taken(Stored(Message(BARS, id, b"", 1, trace_id=trace), 1, 0))
        if id == "b":
            both_took.set()
        await both_took.wait()
        assert f"{get_current_span().get_span_context().span_id:016x}" == span_of(id)
        spans.open("work", HOUR)()
        parent = ended[-1].parent
        assert parent is not None
        return f"{parent.span_id:016x}"

    async def both() -> list[str]:
        event = asyncio.Event()
        return list(await asyncio.gather(work("a", event), work("b", event)))

    assert Context().run(asyncio.run, both()) == [span_of("a"), span_of("b")]


def test_what_a_span_costs_its_publisher_is_told(say: Callable[[str], None]) -> None:
    rounds, ended = 5_000, list[ReadableSpan]()
    spans = MessageSpans(ended.append, Resource({}))
    trace = traceparent(HOUR, "").split("-")[1]
    taken = Stored(Message(BARS, "bars-1", b"", 1, trace_id=trace), 1, 0)
    message = Message(ORDERS, "orders-1", b"", 1, event_time=HOUR)

    async def seconds(bus: Bus, traced: bool) -> float:
        begun_at = time.perf_counter()
        for _ in range(rounds):
            if traced:
                spans.taken(taken)
            await bus.publish(message, 0)
        return time.perf_counter() - begun_at

    async def cheapest(bus: Bus, traced: bool) -> float:
        return min([await seconds(bus, traced) for _ in range(5)])

    bare = asyncio.run(cheapest(StillBus(), False))
    traced = asyncio.run(cheapest(TracedBus(StillBus(), spans), True))
    say(f"traced bus: {(traced - bare) / rounds * 1e6:.1f} microseconds per message on the way")
    assert len(ended) == 5 * rounds
