"""Whatever goes wrong, every message is stored once, in order, and every reader sees the same."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stratvector.runtime.host import ServiceFactory, Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from stratvector.trading.identity import message_id

BARS, SIGNALS = "bars.crypto.4H", "signals.main.trend"
COUNT = 12
STORM = replace(Faults.stormy(), crash=0.03, pause=0.03, clock_stops=0.5)
SERVICES = ("writer", "relay", "reader")


def identity(subject: str, number: int) -> str:
    return message_id("STREAM", subject, number)


def writer(ports: Ports) -> Tasks:
    """Stores 0, 1, … in its lane; goes on where the lane's history ends."""
    lane = Lane(ports, BARS)

    async def work() -> None:
        await lane.acquire()
        written = [int(stored.message.payload) async for stored in lane.history()]
        assert written == list(range(len(written)))
        for number in range(len(written), COUNT):
            await lane.publish(identity(BARS, number), b"%d" % number)

    return Tasks([work()], [lane])


def relay(ports: Ports) -> Tasks:
    """Stores a square for each number; adopts those that are there."""
    lane, inbox = Lane(ports, SIGNALS), Inbox(ports, BARS)

    async def work() -> None:
        await lane.acquire()
        done = len([stored async for stored in lane.history()])
        for number in range(COUNT):
            value = int((await inbox.next()).message.payload)
            assert value == number
            if number >= done:
                await lane.publish(identity(SIGNALS, number), b"%d" % value**2)

    return Tasks([work()], [lane])


def reader(ports: Ports) -> Tasks:
    """Both lanes to their ends."""
    inboxes = Inbox(ports, BARS), Inbox(ports, SIGNALS)

    async def work() -> None:
        for number in range(COUNT):
            assert int((await inboxes[0].next()).message.payload) == number
            assert int((await inboxes[1].next()).message.payload) == number**2

    return Tasks([work()])


FACTORIES: dict[str, ServiceFactory] = {"writer": writer, "relay": relay, "reader": reader}


def run(
    seed: int = 0, faults: Faults | None = None, instances: int = 1, plans: tuple[Plan, ...] = ()
) -> World:
    world = World(seed, faults, plans)
    for name, factory in FACTORIES.items():
        world.add(name, factory, instances)
    world.run(until=SERVICES)
    return world


def content(world: World) -> list[list[tuple[str, bytes]]]:
    return [
        [(stored.message.id, stored.message.payload) for stored in world.bus.contents(subject)]
        for subject in (BARS, SIGNALS)
    ]


CALM = content(run())


def assert_fenced(world: World) -> None:
    """No message of a lower epoch was stored after a higher one, and no id twice."""
    for subject in (BARS, SIGNALS):
        lane = [s.message for s in world.bus.journal if s.message.subject == subject]
        epochs = [message.epoch for message in lane]
        assert epochs == sorted(epochs)
        assert max(Counter(message.id for message in lane).values()) == 1


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), instances=st.integers(1, 3))
@example(seed=1, instances=3)
def test_instances_that_compete_in_a_storm_write_everything_once_and_in_order(
    seed: int, instances: int
) -> None:
    world = run(seed, STORM, instances)
    assert content(world) == CALM
    assert_fenced(world)


def test_storms_reach_every_kind_of_fault() -> None:
    crashes: Counter[str] = Counter()
    losses = refused = 0
    for seed in range(100):
        world = run(seed, STORM, instances=2)
        crashes += Counter(when for (_, _, when) in world.crashes.elements())
        losses += sum(world.losses.values())
        refused += world.effects["writer", "publish BARS"] - COUNT
    assert min(crashes["before"], crashes["after"], losses, refused) > 20


def test_one_seed_gives_one_trace() -> None:
    hashes = [run(seed, STORM, 2).trace_hash() for seed in (3, 4, 3)]
    assert hashes[0] == hashes[2] != hashes[1]


def test_other_orders_of_arrival_give_the_same_content() -> None:
    worlds = [run(seed, Faults(delay_seconds_max=1.0)) for seed in range(10)]
    assert len({world.trace_hash() for world in worlds}) > 1
    assert all(content(world) == CALM for world in worlds)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_effect_of_every_service_changes_nothing(when: When) -> None:
    points = run().effects
    missed = []
    for (service, kind), occurrences in points.items():
        for occurrence in range(1, occurrences + 1):
            world = run(plans=(CrashPlan(service, kind, occurrence, when),))
            assert content(world) == CALM
            assert_fenced(world)
            if not world.crashes[service, kind, when]:
                missed.append((service, kind, occurrence))
    # A keeper's sleep has no end in a run without waiting.
    assert {kind for _, kind, _ in missed} <= {"sleep"}
