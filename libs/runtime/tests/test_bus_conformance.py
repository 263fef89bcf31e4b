"""One suite for both buses, the simulated one and a real server: what services rely on."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import nats
import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.host import Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import (
    Kind,
    LostOwnership,
    Message,
    Ports,
    Published,
    Stored,
    WrongRevision,
    WrongSequence,
)
from stratvector.runtime.simulation.world import World
from stratvector.trading.lanes import orders_lane
from stratvector.trading.portfolio import Account, Portfolio

PORTFOLIO = Portfolio("main", (Account("paper", Decimal(1)),), (), ())
SUBJECT = orders_lane(PORTFOLIO)
OTHER = "orders.other.paper"

Script = Callable[[Ports], Coroutine[Any, Any, None]]
Run = Callable[[Script], None]


def on_simulated_bus(script: Script) -> None:
    world = World()
    world.add("script", lambda ports: Tasks([script(ports)]))
    world.run(until=["script"])


def on_jetstream(server: NatsServer, script: Script) -> None:
    async def play() -> None:
        client = await nats.connect(server.url)
        try:
            await provision(client)
            bus, key_value = JetStreamBus(client), JetStreamKeyValue(client)
            await script(Ports(bus, key_value, AsyncClock(), "script-1", lease_seconds=1.0))
        finally:
            await client.close()

    asyncio.run(play())


@contextmanager
def running_server(folder: Path) -> Iterator[NatsServer]:
    server = NatsServer(ServerSettings(folder / "store", free_port()), folder, folder / "log")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(params=["simulated", "jetstream"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    if request.param == "simulated":
        yield on_simulated_bus
        return
    with running_server(tmp_path) as server:
        yield lambda script: on_jetstream(server, script)


def message(id: str, subject: str = SUBJECT, payload: bytes = b"", epoch: int = 1) -> Message:
    return Message(subject, id, payload, epoch)


async def publish_all(ports: Ports, count: int, subject: str = SUBJECT) -> list[int]:
    sequences = [0]
    for number in range(count):
        answer = await ports.bus.publish(message(f"{subject}-{number}", subject), sequences[-1])
        sequences.append(answer.sequence)
    return sequences[1:]


def test_a_message_is_read_as_it_was_published(run: Run) -> None:
    async def script(ports: Ports) -> None:
        large = bytes(range(256)) * 800
        sent = [
            Message(SUBJECT, "a", b"", 1, Kind.OWNER),
            Message(SUBJECT, "b", large, 7, Kind.CONTENT, event_time=5),
        ]
        for expected, one in enumerate(sent):
            await ports.bus.publish(one, expected)
        assert list(await ports.bus.read(SUBJECT, 0)) == [
            Stored(sent[0], 1, 0),
            Stored(sent[1], 2, 1),
        ]
        assert await ports.bus.last(SUBJECT) == Stored(sent[1], 2, 1)
        assert await ports.bus.last(OTHER) is None

    run(script)


def test_a_stale_expected_sequence_is_refused_before_deduplication(run: Run) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        with pytest.raises(WrongSequence) as refused:
            await ports.bus.publish(message("a"), 0)
        assert (refused.value.expected, refused.value.actual) == (0, 1)

    run(script)


def test_an_id_is_deduplicated_over_the_whole_stream(run: Run) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        assert await ports.bus.publish(message("a", OTHER), 0) == Published(1, duplicate=True)
        assert await ports.bus.last(OTHER) is None

    run(script)


def test_sequences_count_per_stream_and_expectations_per_subject(run: Run) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        await ports.bus.publish(message("b", OTHER), 0)
        assert await ports.bus.publish(message("c"), 1) == Published(3, duplicate=False)
        places = [(s.sequence, s.previous) for s in await ports.bus.read(SUBJECT, 0)]
        assert places == [(1, 0), (3, 1)]
        assert [s.sequence for s in await ports.bus.read(SUBJECT, 1)] == [3]

    run(script)


def test_pages_hold_one_subject_up_to_their_limit(run: Run) -> None:
    async def script(ports: Ports) -> None:
        assert list(await ports.bus.read(SUBJECT, 0)) == []
        sequences = await publish_all(ports, 300)
        await publish_all(ports, 3, OTHER)
        pages, after = [], 0
        while page := await ports.bus.read(SUBJECT, after, 128):
            pages.append([stored.sequence for stored in page])
            after = pages[-1][-1]
        assert [len(page) for page in pages] == [128, 128, 44]
        assert list(chain.from_iterable(pages)) == sequences

    run(script)


def test_what_is_stored_is_heard_once_by_each_that_listens_to_its_subject(run: Run) -> None:
    async def script(ports: Ports) -> None:
        await publish_all(ports, 2)
        both = [await ports.bus.arrivals(SUBJECT) for _ in range(2)]
        await ports.bus.last(SUBJECT)  # from its answer on everything is heard
        await publish_all(ports, 3, OTHER)
        sequence = 2
        for number in range(5):
            one = Message(SUBJECT, f"m{number}", b"%d" % number, 7, event_time=number)
            sequence = (await ports.bus.publish(one, sequence)).sequence
        expected = list(await ports.bus.read(SUBJECT, 2))
        assert len(expected) == 5
        for arrivals in both:
            assert [await arrivals.next(5.0) for _ in expected] == expected
            assert await arrivals.next(0.2) is None

    run(script)


def test_what_was_refused_or_stored_before_is_not_heard(run: Run) -> None:
    async def script(ports: Ports) -> None:
        arrivals = await ports.bus.arrivals(SUBJECT)
        await ports.bus.publish(message("a"), 0)
        with pytest.raises(WrongSequence):
            await ports.bus.publish(message("b"), 0)
        assert (await ports.bus.publish(message("a"), 1)).duplicate
        heard = [await arrivals.next(seconds) for seconds in (5.0, 0.2)]
        assert [one and one.message.id for one in heard] == ["a", None]

    run(script)


def test_a_message_comes_while_it_is_waited_for(run: Run) -> None:
    async def script(ports: Ports) -> None:
        arrivals = await ports.bus.arrivals(SUBJECT)
        assert await arrivals.next(0.2) is None
        assert await arrivals.next(0.0) is None
        await ports.bus.publish(message("a"), 0)
        stored = await arrivals.next(5.0)
        assert stored is not None
        assert stored.message.id == "a"

    run(script)


def test_a_swap_needs_the_current_revision(run: Run) -> None:
    async def script(ports: Ports) -> None:
        key = "owner.orders.main.paper"
        first = await ports.key_value.put(key, b"1", 0)
        second = await ports.key_value.put(key, b"2", first)
        for stale in (0, first):
            with pytest.raises(WrongRevision):
                await ports.key_value.put(key, b"3", stale)
        entry = await ports.key_value.get(key)
        assert entry is not None
        assert (entry.value, entry.revision) == (b"2", second)
        assert await ports.key_value.get("owner.orders.absent") is None

    run(script)


def heir_of(ports: Ports, instance: str) -> Lane:
    return Lane(Ports(ports.bus, ports.key_value, ports.clock, instance, 1.0), SUBJECT)


def test_a_lane_goes_from_its_owner_to_a_standby_and_the_owner_is_fenced(run: Run) -> None:
    async def script(ports: Ports) -> None:
        owner, heir = heir_of(ports, "owner-1"), heir_of(ports, "heir-1")
        await owner.acquire()
        await owner.publish("a", b"1")
        await heir.acquire()
        with pytest.raises(LostOwnership):
            await owner.publish("b", b"2")
        assert [stored.message.id async for stored in heir.history()] == ["a"]
        assert (owner.epoch, heir.epoch) == (1, 2)
        await heir.publish("b", b"2")
        contents = [s.message for s in await ports.bus.read(SUBJECT, 0)]
        kept = [(m.id, m.epoch) for m in contents if m.kind is Kind.CONTENT]
        assert kept == [("a", 1), ("b", 2)]

    run(script)


def test_a_stored_message_whose_answer_was_lost_is_adopted(run: Run) -> None:
    async def script(ports: Ports) -> None:
        lane = heir_of(ports, "owner-1")
        await lane.acquire()
        await ports.bus.publish(Message(SUBJECT, "a", b"1", lane.epoch), lane.sequence)
        stored = await lane.publish("a", b"1")
        assert stored.sequence == 2
        assert len(await ports.bus.read(SUBJECT, 0)) == 2

    run(script)


def test_an_inbox_gives_each_message_once_and_in_order(run: Run) -> None:
    async def script(ports: Ports) -> None:
        inbox = Inbox(ports, SUBJECT, poll_seconds=0.2)
        sequence, seen = 0, []
        for number in range(600):
            one = message(f"m{number}")
            sequence = (await ports.bus.publish(one, sequence)).sequence
            if number % 100 >= 50:
                seen.append((await inbox.next()).message.id)
        while len(seen) < 600:
            seen.append((await inbox.next()).message.id)
        assert seen == [f"m{number}" for number in range(600)]

    run(script)
