"""Each rule of an inbox, one at a time."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Arrivals, Bus, Kind, Message, Ports, Published, Stored
from stratvector.runtime.simulation.arrivals import KEPT
from stratvector.runtime.simulation.fate import CrashPlan
from stratvector.runtime.simulation.faults import Faults
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


@dataclass(frozen=True)
class Deaf:
    """A bus on which some messages are never heard, though they are stored."""

    bus: Bus
    unheard: set[str]

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        return await self.bus.publish(message, expected_sequence)

    async def last(self, subject: str) -> Stored | None:
        return await self.bus.last(subject)

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        return await self.bus.read(subject, after, limit)

    async def arrivals(self, subject: str) -> Arrivals:
        return DeafArrivals(await self.bus.arrivals(subject), self.unheard)


@dataclass(frozen=True)
class DeafArrivals:
    """What is heard, less some messages."""

    arrivals: Arrivals
    unheard: set[str]

    async def next(self, timeout_seconds: float) -> Stored | None:
        stored = await self.arrivals.next(timeout_seconds)
        while stored is not None and stored.message.id in self.unheard:
            stored = await self.arrivals.next(timeout_seconds)
        return stored

    async def close(self) -> None:
        await self.arrivals.close()


def rest_of(ports: Ports) -> tuple[Any, Any, str]:
    return ports.key_value, ports.clock, ports.instance


def test_the_backlog_comes_from_the_log_and_what_follows_is_heard(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, *map(content, "abc"))
        inbox = Inbox(ports, SUBJECT)
        assert await take(inbox, 3) == "abc"
        await store(ports.bus, *map(content, "de"))
        assert await take(inbox, 2) == "de"

    assert play(script).effects["script", "bus read"] == 1


def test_a_long_backlog_is_read_in_pages(play: Play) -> None:
    async def script(ports: Ports) -> None:
        names = [f"{n}," for n in range(600)]
        await store(ports.bus, *map(content, names))
        assert await take(Inbox(ports, SUBJECT), 600) == "".join(names)

    play(script)


def test_what_is_stored_between_the_first_read_and_the_first_wait_is_heard(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        await store(ports.bus, *map(content, "ab"))
        assert await take(inbox, 2) == "ab"
        await store(ports.bus, *map(content, "cd"))
        began = ports.clock.monotonic_seconds()
        assert await take(inbox, 2) == "cd"
        assert ports.clock.monotonic_seconds() == began

    assert play(script).effects["script", "listen"] == 1


@pytest.mark.parametrize("occurrence", [1, 2, 3])
def test_a_crash_while_it_listens_costs_no_message(occurrence: int) -> None:
    world = World(plans=[CrashPlan("reader", "next", occurrence)])
    taken: list[str] = []

    async def reader(ports: Ports) -> None:
        taken.clear()
        inbox = Inbox(ports, SUBJECT)
        while len(taken) < 3:
            taken.append((await inbox.next()).message.id)

    async def writer(ports: Ports) -> None:
        await ports.clock.sleep(1.0)
        await store(ports.bus, *map(content, "abc"))

    world.add("reader", lambda ports: Tasks([reader(ports)]))
    world.add("writer", lambda ports: Tasks([writer(ports)]))
    world.run(until=["reader"])
    assert taken == ["a", "b", "c"]
    assert world.crashes == {("reader", "next", "before"): 1}


def stormy(script: Callable[[Ports], Coroutine[Any, Any, None]], faults: Faults) -> World:
    world = World(seed=1, faults=faults)
    world.add("script", lambda ports: Tasks([script(ports)]))
    world.run(until=["script"])
    return world


def test_what_comes_twice_is_dropped() -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "abc"))
        assert await take(inbox, 3) == "abc"

    assert stormy(script, Faults(arrival_twice=1.0)).effects["script", "next"] >= 5


def test_a_gap_is_read_from_the_log_as_soon_as_the_next_message_shows_it(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(Ports(Deaf(ports.bus, {"a", "b"}), *rest_of(ports)), SUBJECT)
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "abcd"))
        began = ports.clock.monotonic_seconds()
        assert await take(inbox, 4) == "abcd"
        assert ports.clock.monotonic_seconds() == began, "the gap was waited out"

    play(script)


def test_a_newest_message_that_nobody_heard_is_read_when_the_silence_is_long(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(
            Ports(Deaf(ports.bus, {"a", "b"}), *rest_of(ports)), SUBJECT, poll_seconds=5.0
        )
        assert await has_caught_up(ports, inbox)
        await store(ports.bus, *map(content, "ab"))
        assert await take(inbox, 2) == "ab"
        assert ports.clock.monotonic_seconds() == pytest.approx(5.0)

    play(script)


def test_whatever_is_lost_delayed_or_repeated_each_message_comes_once_and_in_order() -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        assert await has_caught_up(ports, inbox)
        names = [f"{n}," for n in range(400)]
        for begin in range(0, 400, 7):
            await store(ports.bus, *map(content, names[begin : begin + 7]))
            expected = "".join(names[begin : begin + 7])
            assert await take(inbox, min(7, 400 - begin)) == expected

    half = Faults(arrival_lost=0.5, arrival_twice=0.5, delay_seconds_max=0.5)
    stormy(script, half)


def test_a_reader_that_is_slow_holds_the_newest_and_reads_the_rest_from_the_log(
    play: Play,
) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        assert await has_caught_up(ports, inbox)
        names = [f"{n}," for n in range(3 * KEPT)]
        await store(ports.bus, *map(content, names))
        assert await take(inbox, len(names)) == "".join(names)

    assert play(script).effects["script", "bus read"] >= 3


def test_owner_marks_are_skipped_and_lower_epochs_dropped(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, mark(1), content("a"), mark(2), content("b"), content("c", 2))
        inbox = Inbox(ports, SUBJECT)
        assert await take(inbox, 2) == "ac"
        await store(ports.bus, content("d"), mark(3), content("e", 2), content("f", 3))
        began = ports.clock.monotonic_seconds()
        assert await take(inbox, 1) == "f"
        assert ports.clock.monotonic_seconds() == began, "what was dropped was waited for"

    play(script)


def test_an_inbox_that_starts_in_the_middle_knows_the_epoch_there(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, mark(2), content("a", 2), content("stale", 1), content("b", 2))
        assert await take(Inbox(ports, SUBJECT, after=2), 1) == "b"

    play(script)


def test_one_id_at_two_places_of_the_log_reaches_the_caller_once(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await store(ports.bus, content("a"))
        await ports.clock.sleep(121.0)
        await store(ports.bus, content("a"), content("b"))
        assert await take(Inbox(ports, SUBJECT), 2) == "ab"

    assert len(play(script).bus.journal) == 3


async def has_caught_up(ports: Ports, inbox: Inbox) -> bool:
    """Read the log once, so that what follows is heard."""
    await store(ports.bus, content("first"))
    return await take(inbox, 1) == "first"


def test_a_look_tells_whether_a_message_comes_in_time_and_takes_none(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        assert not await inbox.look(0.5)
        await store(ports.bus, *map(content, "ab"))
        assert await inbox.look(0.5)
        assert await inbox.look(0.5)
        assert await take(inbox, 2) == "ab"
        assert not await inbox.look(0.5)

    # The log is asked for the backlog alone: a short silence is no reason to doubt it.
    assert play(script).effects["script", "bus read"] == 1


def test_a_look_does_not_count_what_no_reader_takes(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        await store(ports.bus, content("a"), mark(2))
        assert await take(inbox, 1) == "a"
        assert not await inbox.look(0.5)

    play(script)


def test_what_was_read_ahead_is_at_hand(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT)
        await store(ports.bus, content("a"), mark(2), content("b", epoch=2))
        assert not inbox.at_hand()
        assert await take(inbox, 1) == "a"
        assert inbox.at_hand()
        assert await take(inbox, 1) == "b"
        assert not inbox.at_hand()

    play(script)


def test_a_follower_reads_pages_and_does_not_listen(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT, follows=True)
        names = [f"{n}," for n in range(600)]
        await store(ports.bus, *map(content, names))
        assert await take(inbox, 600) == "".join(names)

    world = play(script)
    assert world.effects["script", "bus read"] == 3
    assert world.effects["script", "next"] == world.effects["script", "listen"] == 0


def test_a_follower_rests_longer_each_time_that_it_finds_nothing(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT, follows=True)
        await store(ports.bus, content("a"))
        assert await take(inbox, 1) == "a"
        for _ in range(20):
            assert not await inbox.look(2.0)

    # 0.05 + 0.1 + 0.2 + 0.4 and 16 times the longest rest
    assert play(script).now == pytest.approx(0.75 + 16 * 0.5)


def test_a_follower_soon_sees_what_comes_after_a_rest(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT, follows=True)
        await store(ports.bus, content("a"))
        assert await take(inbox, 1) == "a"
        assert not await inbox.look(2.0)
        await store(ports.bus, content("b"))
        assert await take(inbox, 1) == "b"
        assert not await inbox.look(2.0)

    assert play(script).now == pytest.approx(0.05 + 0.1 + 0.05)


def test_a_follower_that_begins_to_listen_misses_nothing_and_hears_what_comes(play: Play) -> None:
    async def script(ports: Ports) -> None:
        inbox, unread = Inbox(ports, SUBJECT, follows=True), Inbox(ports, SUBJECT, follows=True)
        await store(ports.bus, content("a"), content("b"))
        assert await take(inbox, 1) == "a"
        await store(ports.bus, content("c"))
        for one in (inbox, unread):
            await one.listen()
            await one.listen()
        await store(ports.bus, content("d"))
        assert await take(inbox, 3) == "bcd"
        assert await take(unread, 4) == "abcd"
        await store(ports.bus, content("e"))
        assert await take(inbox, 1) == "e"

    world = play(script)
    assert world.effects["script", "listen"] == 2
    assert world.effects["script", "next"] > 0
