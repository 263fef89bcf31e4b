"""A lane's lease is renewed beside the work, or the owner is none any more."""

from collections.abc import Callable

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LEASE_SECONDS, LostOwnership, Ports
from stratvector.runtime.simulation.fate import Fate, FaultPlan
from stratvector.runtime.simulation.world import World

SUBJECT = "orders.main.paper"


def test_a_keeper_that_loses_the_swap_ends_the_owner(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        lane = Lane(ports, SUBJECT)
        await lane.acquire()
        entry = await ports.key_value.get(f"owner.{SUBJECT}")
        assert entry is not None
        await ports.key_value.put(f"owner.{SUBJECT}", b"two 2", entry.revision)
        with pytest.raises(LostOwnership):
            await lane.keep()
        assert lane.lost
        with pytest.raises(LostOwnership):
            lane.check_ownership()

    play(script)


def test_a_renewal_whose_answer_got_lost_keeps_the_lane() -> None:
    def owner(ports: Ports) -> Tasks:
        lane = Lane(ports, SUBJECT)

        async def work() -> None:
            await lane.acquire()
            await ports.clock.sleep(30.0)
            await lane.publish("a", b"")

        return Tasks([work()], [lane])

    world = World(plans=[FaultPlan("owner", "kv put", n, Fate(loss="answer")) for n in (1, 3)])
    world.add("owner", owner)
    world.run(until=["owner"])
    assert [stored.message.id for stored in world.bus.contents(SUBJECT)] == ["a"]
    assert not world.losses


def test_a_renewal_counts_from_when_it_left_not_from_its_answer() -> None:
    def owner(ports: Ports) -> Tasks:
        lane = Lane(ports, SUBJECT)

        async def work() -> None:
            await lane.acquire()
            await ports.clock.sleep(1.4 * LEASE_SECONDS)
            lane.check_ownership()

        return Tasks([work()], [lane])

    slow = FaultPlan("owner", "kv put", 2, Fate(back_seconds=0.8 * LEASE_SECONDS))
    world = World(plans=[slow])
    world.add("owner", owner)
    world.run(until=["owner"])
    assert world.losses == {"owner": 1}
