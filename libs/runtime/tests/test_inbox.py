"""Each rule of an inbox, one at a time."""

from collections.abc import Callable

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Bus, Kind, Message, Ports
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan
from stratvector.runtime.simulation.world import World

SUBJECT = "bars.crypto.4H"
Play = Callable[..., World]


async def store(bus: Bus, *messages: Message) -> None:
    last = await bus.last(SUBJECT)
    sequence = 0 if last is None else last.sequence
    for message in messages:
        sequence = (await bus.publish(message, sequence)).sequence


def content(name: str, epoch: int = 1) -> Message:
    return Message(SUBJECT, name, name.encode(), epoch)


def mark(epoch: int) -> Message:
    return Message(SUBJECT, f"mark {epoch}", b"", epoch, Kind.OWNER)


async def take(inbox: Inbox, count: int) -> str:
    return "".join([(await inbox.next()).message.id for _ in range(count)])


def test_the_backlog_comes_from_the_log_and_what_follows_from_the_consumer(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, *map(content, "abc"))
        inbox = Inbox(ports, "risk", SUBJECT)
        assert await take(inbox, 3) == "abc"
        await store(ports.bus, *map(content, "de"))
        assert await take(inbox, 2) == "de"

    assert play(script).effects["script", "bus read"] == 1


def test_a_long_backlog_is_read_in_pages(play: Play) -> None:
    async def script(ports: Ports) -> None:
        names = [f"{n}," for n in range(600)]
        await store(ports.bus, *map(content, names))
        assert await take(Inbox(ports, "risk", SUBJECT), 600) == "".join(names)

    play(script)


def test_a_message_is_acknowledged_when_the_next_is_asked_for(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        consumer = ports.bus.consumer("risk", SUBJECT)
        await store(ports.bus, *map(content, "ab"))
        assert await take(inbox, 1) == "a"
        assert await consumer.next(1.0) is not None, "nothing was delivered before"
        assert await take(inbox, 1) == "b"
        assert await consumer.next(1.0) is None, "one delivery at a time"

    play(script)


def test_a_crash_before_the_acknowledgement_costs_no_message() -> None:
    world = World(plans=[CrashPlan("reader", "ack", 2)])
    taken: list[str] = []

    async def reader(ports: Ports) -> None:
        taken.clear()
        inbox = Inbox(ports, "risk", SUBJECT)
        while len(taken) < 3:
            taken.append((await inbox.next()).message.id)

    async def writer(ports: Ports) -> None:
        await ports.clock.sleep(1.0)
        await store(ports.bus, *map(content, "abc"))

    world.add("reader", lambda ports: Tasks([reader(ports)]))
    world.add("writer", lambda ports: Tasks([writer(ports)]))
    world.run(until=["reader"])
    assert taken == ["a", "b", "c"]
    assert world.crashes == {("reader", "ack", "before"): 1}


def test_a_repeated_delivery_is_dropped(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "abc"))
        assert await take(inbox, 3) == "abc"

    twice = [FaultPlan("script", "next", n, Fate(duplicate=True)) for n in (2, 3, 4)]
    assert play(script, twice).effects["script", "next"] >= 5


def test_a_lost_acknowledgement_causes_a_redelivery_that_is_dropped(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT, poll_seconds=100.0)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "abc"))
        assert await take(inbox, 3) == "abc"
        assert ports.clock.monotonic_seconds() >= 30.0

    play(script, [FaultPlan("script", "ack", 1, Fate(loss="request"))])


def test_a_gap_that_a_zombie_acknowledged_is_read_from_the_log(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "abcd"))
        zombie = ports.bus.consumer("risk", SUBJECT)
        for _ in range(2):
            delivered = await zombie.next(1.0)
            assert delivered is not None
            await zombie.ack(delivered.sequence)
        began = ports.clock.monotonic_seconds()
        assert await take(inbox, 4) == "abcd"
        assert ports.clock.monotonic_seconds() == began, "the gap was waited out"

    play(script)


def test_a_silent_consumer_does_not_hide_the_log(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT, poll_seconds=5.0)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "ab"))
        zombie = ports.bus.consumer("risk", SUBJECT)
        await zombie.next(1.0)
        assert await take(inbox, 2) == "ab"
        assert ports.clock.monotonic_seconds() < 30.0, "the zombie's delivery was waited for"

    play(script)


def test_owner_marks_are_skipped_and_lower_epochs_dropped(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, mark(1), content("a"), mark(2), content("b"), content("c", 2))
        inbox = Inbox(ports, "risk", SUBJECT)
        assert await take(inbox, 2) == "ac"
        await store(ports.bus, content("d"), mark(3), content("e", 2), content("f", 3))
        began = ports.clock.monotonic_seconds()
        assert await take(inbox, 1) == "f"
        assert ports.clock.monotonic_seconds() == began, "a dropped delivery was not acknowledged"

    play(script)


def test_an_inbox_that_starts_in_the_middle_knows_the_epoch_there(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, mark(2), content("a", 2), content("stale", 1), content("b", 2))
        assert await take(Inbox(ports, "risk", SUBJECT, after=2), 1) == "b"

    play(script)


def test_one_id_at_two_places_of_the_log_reaches_the_caller_once(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, content("a"))
        await ports.clock.sleep(121.0)
        await store(ports.bus, content("a"), content("b"))
        assert await take(Inbox(ports, "risk", SUBJECT), 2) == "ab"

    assert len(play(script).bus.journal) == 3


async def has_caught_up(ports: Ports, inbox: Inbox) -> bool:
    """Read the log once, so that what follows comes through the consumer."""
    await store(ports.bus, content("first"))
    return await take(inbox, 1) == "first"


def test_a_look_tells_whether_a_message_comes_in_time_and_takes_none(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        assert not await inbox.look(0.5)
        await store(ports.bus, *map(content, "ab"))
        assert await inbox.look(0.5)
        assert await inbox.look(0.5)
        assert await take(inbox, 2) == "ab"
        assert not await inbox.look(0.5)

    # The log is asked for the backlog alone: a short silence is no reason to doubt the consumer.
    assert play(script).effects["script", "bus read"] == 1


def test_a_look_does_not_count_what_no_reader_takes(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        await store(ports.bus, content("a"), mark(2))
        assert await take(inbox, 1) == "a"
        assert not await inbox.look(0.5)

    play(script)


def test_what_was_read_ahead_is_at_hand(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, "risk", SUBJECT)
        await store(ports.bus, content("a"), mark(2), content("b", epoch=2))
        assert not inbox.at_hand()
        assert await take(inbox, 1) == "a"
        assert inbox.at_hand()
        assert await take(inbox, 1) == "b"
        assert not inbox.at_hand()

    play(script)


def test_a_follower_reads_pages_and_no_consumer(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, None, SUBJECT)
        names = [f"{n}," for n in range(600)]
        await store(ports.bus, *map(content, names))
        assert await take(inbox, 600) == "".join(names)

    world = play(script)
    assert world.effects["script", "bus read"] == 3
    assert world.effects["script", "next"] == world.effects["script", "ack"] == 0


def test_a_follower_rests_longer_each_time_that_it_finds_nothing(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, None, SUBJECT)
        await store(ports.bus, content("a"))
        assert await take(inbox, 1) == "a"
        for _ in range(20):
            assert not await inbox.look(2.0)

    # 0.05 + 0.1 + 0.2 + 0.4 and 16 times the longest rest
    assert play(script).now == pytest.approx(0.75 + 16 * 0.5)


def test_a_follower_soon_sees_what_comes_after_a_rest(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, None, SUBJECT)
        await store(ports.bus, content("a"))
        assert await take(inbox, 1) == "a"
        assert not await inbox.look(2.0)
        await store(ports.bus, content("b"))
        assert await take(inbox, 1) == "b"
        assert not await inbox.look(2.0)

    assert play(script).now == pytest.approx(0.05 + 0.1 + 0.05)
