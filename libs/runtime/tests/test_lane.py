"""Each rule of a lane, one at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stratvector.contracts.codecs import Owner, decode_owner
from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import (
    LEASE_SECONDS,
    Kind,
    LostOwnership,
    Message,
    Ports,
    Published,
    PublishUnknown,
    Stored,
)
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.fate import Fate, FaultPlan
from stratvector.runtime.simulation.world import World

SUBJECT = "orders.main.paper"
PUBLISH = "publish ORDERS"
UNAWARE = 1e9  # a lease so long that this instance never doubts it


def lane_of(ports: Ports, instance: str, lease_seconds: float = LEASE_SECONDS) -> Lane:
    return Lane(replace(ports, instance=instance), SUBJECT, lease_seconds)


async def contents(lane: Lane) -> list[str]:
    return [stored.message.id async for stored in lane.history()]


def ids(world: World) -> list[str]:
    return [stored.message.id for stored in world.bus.contents(SUBJECT)]


def test_a_new_owner_stores_its_mark_and_then_its_messages(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await lane.acquire()
        assert await lane.publish("a", b"A") == Stored(
            Message(SUBJECT, "a", b"A", epoch=1), sequence=2, previous=1
        )

    mark, content = play(script).bus.journal
    assert mark.message.kind is Kind.OWNER
    assert decode_owner(mark.message.payload) == Owner("one", 1)
    assert content.message.id == "a"


def test_history_is_the_content_before_the_own_mark(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        first = lane_of(ports, "first")
        await first.acquire()
        for n in range(300):
            await first.publish(f"{n}", b"")
        second = lane_of(ports, "second")
        await second.acquire()
        assert await contents(second) == [f"{n}" for n in range(300)]
        assert [s.message.id async for s in second.history(after=299)] == ["298", "299"]

    play(script)


def test_a_standby_waits_until_the_lease_did_not_change_for_its_whole_length(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        await lane_of(ports, "owner").acquire()
        began = ports.clock.monotonic_seconds()
        await lane_of(ports, "standby").acquire()
        waited_seconds = ports.clock.monotonic_seconds() - began
        assert LEASE_SECONDS <= waited_seconds <= 1.5 * LEASE_SECONDS

    play(script)


def test_an_owner_that_renews_keeps_its_standby_waiting() -> None:
    world = World()
    owner_lanes: list[Lane] = []

    def owner(ports: Ports) -> Tasks:
        lane = lane_of(ports, ports.instance)
        owner_lanes.append(lane)

        async def work() -> None:
            await lane.acquire()
            await ports.clock.sleep(200.0)
            await lane.publish("late", b"")

        return Tasks([work()], [lane])

    async def standby(ports: Ports) -> None:
        await lane_of(ports, ports.instance).acquire()
        assert ports.clock.monotonic_seconds() > 200.0

    world.add("owner", owner)
    world.add("standby", lambda ports: Tasks([standby(ports)]), start_seconds=1.0)
    world.run(until=["owner", "standby"])
    assert len(owner_lanes) == 1
    assert ids(world) == ["late"]


def test_a_lane_that_is_handed_over_goes_to_its_standby_without_a_wait() -> None:
    taken: list[float] = []

    async def owner(ports: Ports, lane: Lane) -> None:
        await lane.acquire()
        await ports.clock.sleep(60.0)
        await lane.hand_over()
        with pytest.raises(LostOwnership):
            await lane.publish("late", b"")
        await ports.clock.sleep(60.0)

    async def standby(ports: Ports) -> None:
        await lane_of(ports, "standby").acquire()
        taken.append(ports.clock.monotonic_seconds())

    def finished(ports: Ports) -> Tasks:
        lane = lane_of(ports, "owner")
        return Tasks([owner(ports, lane)], [lane])

    world = World()
    world.add("owner", finished)
    world.add("standby", lambda ports: Tasks([standby(ports)]), start_seconds=1.0)
    world.run(until=["standby"])
    assert 60.0 < taken[0] < 64.0


def test_a_zombie_that_resumes_after_a_takeover_publishes_nothing(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        zombie, heir = lane_of(ports, "zombie", UNAWARE), lane_of(ports, "heir")
        await zombie.acquire()
        await zombie.publish("a", b"")
        await heir.acquire()
        with pytest.raises(LostOwnership):
            await zombie.publish("b", b"")
        assert zombie.lost
        await heir.publish("c", b"")

    assert ids(play(script)) == ["a", "c"]


def test_a_zombie_does_not_adopt_the_same_message_of_its_heir(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        zombie, heir = lane_of(ports, "zombie", UNAWARE), lane_of(ports, "heir")
        await zombie.acquire()
        await heir.acquire()
        await heir.publish("a", b"A")
        with pytest.raises(LostOwnership):
            await zombie.publish("a", b"A")

    assert ids(play(script)) == ["a"]


def test_a_lease_that_ran_out_and_was_taken_stops_the_owner_before_the_bus(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        sleeper, heir = lane_of(ports, "sleeper"), lane_of(ports, "heir")
        await sleeper.acquire()
        await heir.acquire()
        with pytest.raises(LostOwnership):
            await sleeper.publish("a", b"")

    assert play(script).effects["script", PUBLISH] == len(["mark", "mark"])


def test_a_lease_that_ran_out_and_that_nobody_took_is_renewed_by_the_next_publish(
    play: Callable[..., World],
) -> None:
    """Otherwise work that takes longer than a lease would never get beyond itself."""

    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "slow")
        await lane.acquire()
        await ports.clock.sleep(60.0)
        await lane.publish("a", b"")
        lane.check_ownership()

    assert ids(play(script)) == ["a"]


def test_an_owner_whose_lease_ran_out_does_not_act_outside(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "sleeper")
        await lane.acquire()
        await ports.clock.sleep(LEASE_SECONDS)
        with pytest.raises(LostOwnership):
            lane.check_ownership()

    play(script)


def test_an_owner_that_slept_while_its_message_was_stored_does_not_go_on(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "sleeper")
        await lane.acquire()
        with pytest.raises(LostOwnership):
            await lane.publish("a", b"")

    slept = Fate(pause_seconds=11.0, pause="after")
    assert ids(play(script, [FaultPlan("script", PUBLISH, 2, slept)])) == ["a"]


def test_a_stored_message_whose_answer_got_lost_is_adopted(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await lane.acquire()
        assert (await lane.publish("a", b"")).sequence == 2
        assert (await lane.publish("b", b"")).previous == 2

    world = play(script, [FaultPlan("script", PUBLISH, 2, Fate(loss="answer"))])
    assert ids(world) == ["a", "b"]
    assert world.effects["script", PUBLISH] == 3


def test_a_lost_request_is_published_again(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await lane.acquire()
        await lane.publish("a", b"")

    world = play(script, [FaultPlan("script", PUBLISH, 2, Fate(loss="request"))])
    assert ids(world) == ["a"]
    assert world.effects["script", PUBLISH] == 3


@pytest.mark.parametrize("landing_seconds", [2.5, 4.0])
def test_a_request_that_lands_late_is_stored_once(
    play: Callable[..., World], landing_seconds: float
) -> None:
    """After the unknown outcome and before the repetition, or after it."""

    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await lane.acquire()
        await lane.publish("a", b"")
        await ports.clock.sleep(3.0)
        await lane.publish("b", b"")

    late = FaultPlan("script", PUBLISH, 2, Fate(loss="late", out_seconds=landing_seconds))
    slow = FaultPlan("script", "bus last", 2, Fate(back_seconds=1.0))
    assert ids(play(script, [late, slow])) == ["a", "b"]


class FullBus:
    """A bus in front of the world's, whose disk is full for a while: it says so at once."""

    def __init__(self, ports: Ports, full_seconds: float) -> None:
        self._bus, self._clock = ports.bus, ports.clock
        self._full_until = ports.clock.monotonic_seconds() + full_seconds
        self.refused = 0
        self.last = ports.bus.last

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        if self._clock.monotonic_seconds() < self._full_until:
            self.refused += 1
            assert self.refused < 1_000, "no rest between two attempts"
            raise PublishUnknown("insufficient resources")
        return await self._bus.publish(message, expected_sequence)


def test_a_bus_that_refuses_at_once_is_not_asked_without_a_rest(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        full: Any = FullBus(ports, 5.0)
        lane = lane_of(replace(ports, bus=full), "one")
        await lane.acquire()
        assert full.refused > 0

    async def later(ports: Ports) -> None:
        full: Any = FullBus(ports, 0.0)
        lane = lane_of(replace(ports, bus=full), "one")
        await lane.acquire()
        full._full_until = ports.clock.monotonic_seconds() + 5.0
        await lane.publish("a", b"")
        assert full.refused > 0

    play(script)
    assert ids(play(later)) == ["a"]


def test_an_id_that_the_stream_holds_elsewhere_is_not_taken_for_stored(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await ports.bus.publish(Message("orders.other.paper", "a", b"", 1), 0)
        await lane.acquire()
        with pytest.raises(LostOwnership):
            await lane.publish("a", b"")

    assert ids(play(script)) == []


def test_one_id_with_two_payloads_is_not_adopted(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = lane_of(ports, "one")
        await lane.acquire()
        await lane.publish("a", b"A")
        with pytest.raises(LostOwnership):
            await lane.publish("a", b"B")

    play(script)


def test_history_drops_what_a_lower_epoch_stored_after_a_higher_mark(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        first, second, third = (lane_of(ports, name) for name in ("first", "second", "third"))
        await first.acquire()
        await second.acquire()
        await second.publish("good", b"")
        await ports.bus.publish(Message(SUBJECT, "stale", b"", epoch=1), 3)
        await third.acquire()
        assert await contents(third) == ["good"]

    play(script)


@pytest.mark.parametrize(("count", "expected"), [(1, ["c"]), (2, ["b", "c"]), (9, ["a", "b", "c"])])
def test_the_newest_messages_are_the_end_of_the_history(
    count: int, expected: list[str], play: Callable[..., World]
) -> None:
    async def script(ports: Ports) -> None:
        first, second, third = (lane_of(ports, name) for name in ("first", "second", "third"))
        await first.acquire()
        assert await first.newest(count) == []
        await first.publish("a", b"")
        await second.acquire()
        await second.publish("b", b"")
        await second.publish("c", b"")
        await ports.bus.publish(Message(SUBJECT, "stale", b"", epoch=1), 5)
        await third.acquire()
        assert [s.message.id for s in await third.newest(count)] == expected
        assert (await contents(third))[-len(expected) :] == expected

    play(script)


def test_the_newest_messages_end_where_the_lane_is_purged(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane, heir = lane_of(ports, "first"), lane_of(ports, "second")
        await lane.acquire()
        for identity in ("a", "b", "c"):
            await lane.publish(identity, b"")
        bus = ports.bus
        assert isinstance(bus, SimulatedBus)
        assert await bus.purge(SUBJECT, 100) == 3
        await heir.acquire()
        assert [s.message.id for s in await heir.newest(5)] == ["c"]
        await heir.publish("d", b"")
        assert await bus.purge(SUBJECT, 5) == 1
        assert [s.message.id for s in await contents_of(bus)] == ["d"]

    play(script)


async def contents_of(bus: SimulatedBus) -> list[Stored]:
    return [s for s in await bus.read(SUBJECT, 0) if s.message.kind is Kind.CONTENT]


def test_history_that_shows_a_higher_epoch_ends_the_owner(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        first, second = lane_of(ports, "first", UNAWARE), lane_of(ports, "second")
        await first.acquire()
        await second.acquire()
        with pytest.raises(LostOwnership):
            await contents(first)

    play(script)


def test_an_epoch_exceeds_the_log_even_when_the_lease_store_was_lost(
    play: Callable[..., World],
) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(Message(SUBJECT, "old", b"", epoch=7), 0)
        lane = lane_of(ports, "one")
        await lane.acquire()
        assert lane.epoch == 8
        assert await contents(lane) == ["old"]

    play(script)
