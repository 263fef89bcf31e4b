"""Whatever happens while a new owner stores its mark, at most one owner comes out of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LEASE_SECONDS, Kind, Message, Ports, PublishUnknown
from stratvector.runtime.simulation.fate import Fate, FaultPlan, Loss
from stratvector.runtime.simulation.scheduler import ANSWER_TIMEOUT_SECONDS
from stratvector.runtime.simulation.world import World

SUBJECT = "fills.main.paper"
PUBLISH = "publish FILLS"


def marks(world: World) -> list[int]:
    return [s.message.epoch for s in world.bus.journal if s.message.kind is Kind.OWNER]


@pytest.mark.parametrize("loss", ["request", "answer"])
def test_a_mark_without_an_answer_is_stored_once(play: Callable[..., World], loss: Loss) -> None:
    async def script(ports: Ports) -> None:
        lane = Lane(ports, SUBJECT)
        await lane.acquire()
        assert (await lane.publish("a", b"")).previous == 1

    assert marks(play(script, [FaultPlan("script", PUBLISH, 1, Fate(loss=loss))])) == [1]


def test_a_message_that_lands_before_the_mark_becomes_history(play: Callable[..., World]) -> None:
    """The old owner's publish is under way while the new one reads the last sequence."""

    async def script(ports: Ports) -> None:
        old = Lane(replace(ports, instance="old"), SUBJECT)
        await old.acquire()
        with pytest.raises(PublishUnknown):
            await ports.bus.publish(Message(SUBJECT, "a", b"", old.epoch), old.sequence)
        new = Lane(replace(ports, instance="new"), SUBJECT)
        await new.acquire()
        assert [s.message.id async for s in new.history()] == ["a"]
        assert new.epoch == 2

    lost = Fate(loss="late", out_seconds=ANSWER_TIMEOUT_SECONDS + LEASE_SECONDS + 1.0)
    under_way = FaultPlan("script", PUBLISH, 2, lost)
    slow = FaultPlan("script", PUBLISH, 3, Fate(out_seconds=1.5))
    world = play(script, [under_way, slow])
    assert marks(world) == [1, 2]
    assert world.effects["script", PUBLISH] == 4, "the first attempt at the mark was not refused"


def test_a_claimant_that_slept_before_its_mark_stands_by_again() -> None:
    """Another took the lease and stored a higher mark while the first was on its way."""

    async def sleeper(ports: Ports) -> None:
        lane = Lane(ports, SUBJECT)
        await lane.acquire()
        assert lane.epoch == 3
        assert [s.message.id async for s in lane.history()] == ["from the other"]

    async def other(ports: Ports) -> None:
        lane = Lane(ports, SUBJECT)
        await lane.acquire()
        assert lane.epoch == 2
        await lane.publish("from the other", b"")

    slept = Fate(pause_seconds=30.0, pause="before")
    world = World(plans=[FaultPlan("sleeper", PUBLISH, 1, slept)])
    world.add("sleeper", lambda ports: Tasks([sleeper(ports)]))
    world.add("other", lambda ports: Tasks([other(ports)]), start_seconds=1.0)
    world.run(until=["sleeper", "other"])
    assert marks(world) == [2, 3]
