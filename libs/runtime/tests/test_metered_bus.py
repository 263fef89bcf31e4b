"""What goes through the bus is counted, and lanes are seen at the scrape; both cost little."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import (
    Bus,
    Message,
    Ports,
    PublishUnknown,
    Stored,
    WrongSequence,
)
from stratvector.runtime.process.metered_bus import MeteredBus
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.simulation.fate import Fate, FaultPlan, Loss
from tests.bus.still_bus import StillBus

HOUR = 3_600 * 10**9
SUBJECT = "orders.main.paper"


def sample(metrics: ProcessMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_messages_are_counted_by_subject(play) -> None:  # type: ignore[no-untyped-def]
    metrics = ProcessMetrics(CollectorRegistry())

    async def script(ports: Ports) -> None:
        bus = MeteredBus(ports.bus, metrics)
        arrivals = await bus.arrivals(SUBJECT)
        assert await arrivals.next(0.1) is None
        for n in range(3):
            await bus.publish(Message(SUBJECT, f"id-{n}", b"", 1), n)
        assert len(await bus.read(SUBJECT, 1)) == 2
        assert await bus.last(SUBJECT) == (await bus.read(SUBJECT, 2))[0]
        assert await arrivals.next(1.0) is not None

    play(script)
    assert sample(metrics, "stratvector_messages_published_total", subject=SUBJECT) == 3
    assert sample(metrics, "stratvector_messages_received_total", subject=SUBJECT) == 2 + 1 + 1
    assert sample(metrics, "stratvector_publish_seconds_count") == 3


@pytest.mark.parametrize(("age_seconds", "counted"), [(3.0, 1), (-3.0, 1), (None, 0)])
def test_how_long_a_message_waited_is_told_by_noun_where_the_bus_tells_when_it_came(
    age_seconds: float | None, counted: int
) -> None:
    metrics = ProcessMetrics(CollectorRegistry())
    stored_at = 0 if age_seconds is None else time.time_ns() - int(age_seconds * 1e9)
    stored = Stored(Message(SUBJECT, "id", b"", 1), 1, 0, stored_at)

    async def take() -> None:
        arrivals = await MeteredBus(StillBus(stored), metrics).arrivals(SUBJECT)
        assert await arrivals.next(1.0) is stored

    asyncio.run(take())
    assert sample(metrics, "stratvector_message_wait_seconds_count", noun="orders") == counted
    waited = sample(metrics, "stratvector_message_wait_seconds_sum", noun="orders")
    assert waited is not None
    if age_seconds == 3.0:
        assert waited >= 3.0
    else:  # a server whose clock is ahead makes no wait of less than nothing
        assert waited == 0.0


@pytest.mark.parametrize("loss", ["request", "answer"])
def test_a_publish_without_an_answer_is_told_until_it_is_known_to_be_stored(
    play: Callable[..., object], loss: Loss
) -> None:
    metrics = ProcessMetrics(CollectorRegistry())

    async def script(ports: Ports) -> None:
        bus = MeteredBus(ports.bus, metrics)
        message = Message(SUBJECT, "id", b"", 1)
        with pytest.raises(PublishUnknown):
            await bus.publish(message, 0)
        assert list(metrics.unstored) == [SUBJECT]
        if await bus.last(SUBJECT) is None:
            assert list(metrics.unstored) == [SUBJECT]
            await bus.publish(message, 0)
        assert metrics.unstored == {}

    play(script, [FaultPlan("script", "publish ORDERS", 1, Fate(loss=loss))])


def test_a_refused_publish_is_timed_and_not_counted(play) -> None:  # type: ignore[no-untyped-def]
    metrics = ProcessMetrics(CollectorRegistry())

    async def script(ports: Ports) -> None:
        bus = MeteredBus(ports.bus, metrics)
        with pytest.raises(WrongSequence):
            await bus.publish(Message(SUBJECT, "id", b"", 1), 9)

    play(script)
    assert sample(metrics, "stratvector_messages_published_total", subject=SUBJECT) is None
    assert sample(metrics, "stratvector_publish_seconds_count") == 1


def test_lanes_are_read_when_they_are_asked_for(play) -> None:  # type: ignore[no-untyped-def]
    metrics = ProcessMetrics(CollectorRegistry())

    def told() -> tuple[float | None, float | None]:
        owner = sample(metrics, "stratvector_lane_owner", lane=SUBJECT)
        return owner, sample(metrics, "stratvector_lane_epoch", lane=SUBJECT)

    async def script(ports: Ports) -> None:
        lane = Lane(ports, SUBJECT)
        metrics.watch(lambda: [lane])
        assert told() == (0, 0)
        await lane.acquire()
        assert told() == (1, 1)
        await lane.hand_over()
        assert told() == (0, 1)

    play(script)


def test_an_owner_tells_of_the_newest_close_that_it_stored_and_nobody_else(
    play: Callable[..., object],
) -> None:
    metrics = ProcessMetrics(CollectorRegistry())

    def close() -> float | None:
        return sample(metrics, "stratvector_lane_close_seconds", lane=SUBJECT)

    async def script(ports: Ports) -> None:
        metered = replace(ports, bus=MeteredBus(ports.bus, metrics))
        lane = Lane(metered, SUBJECT)
        metrics.watch(lambda: [lane])
        await lane.acquire()
        assert close() is None  # the claim is about no close
        for number in (1, 2):
            await lane.publish(f"id-{number}", b"", number * HOUR)
            assert close() == number * 3_600.0
        await lane.hand_over()
        assert close() is None

    play(script)


def test_the_fixed_names_are_there_from_the_start() -> None:
    text = generate_latest(ProcessMetrics(CollectorRegistry()).registry).decode()
    for name in (
        "stratvector_publish_seconds_bucket",
        "stratvector_quarantined_messages_total",
        "process_open_fds",
    ):
        assert name in text


def test_what_the_meter_costs_is_told(say: Callable[[str], None]) -> None:
    rounds = 20_000

    async def seconds(bus: Bus) -> tuple[float, float]:
        arrivals, message = await bus.arrivals(SUBJECT), Message(SUBJECT, "id", b"", 1)
        begun_at = time.perf_counter()
        for _ in range(rounds):
            await bus.publish(message, 0)
        between = time.perf_counter()
        for _ in range(rounds):
            await arrivals.next(1.0)
        return between - begun_at, time.perf_counter() - between

    async def cheapest(bus: Bus) -> tuple[float, float]:
        tries = [await seconds(bus) for _ in range(5)]
        return min(t[0] for t in tries), min(t[1] for t in tries)

    bare = asyncio.run(cheapest(StillBus()))
    metrics = ProcessMetrics(CollectorRegistry())
    metered = asyncio.run(cheapest(MeteredBus(StillBus(), metrics)))
    published, received = ((m - b) / rounds * 1e6 for m, b in zip(metered, bare, strict=True))
    say(f"metered bus: {published:.2f} microseconds per publish, {received:.2f} per arrival")
    assert sample(metrics, "stratvector_messages_published_total", subject=SUBJECT) == 5 * rounds
