"""What readers hear of a real server: without a request each, and after it was away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from libs.runtime.tests.test_bus_conformance import SUBJECT, message, running_server
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.jetstream.arrivals import KEPT
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.clock import AsyncClock
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.wire import headers_of
from stratvector.runtime.ports import Ports
from stratvector.trading.flow import stored_subject

WAIT_SECONDS = 10.0


@dataclass
class Reading:
    """A publisher, and a reader with a connection of its own, whose requests are counted."""

    server: NatsServer
    writing: Client
    reading: Client
    sequence: int = 0

    async def publish(self, count: int) -> None:
        for _ in range(count):
            sent = message(f"{self.sequence}", payload=b"%d" % self.sequence)
            bus = JetStreamBus(self.writing)
            self.sequence = (await bus.publish(sent, self.sequence)).sequence

    def inbox(self) -> Inbox:
        client = self.reading
        ports = Ports(JetStreamBus(client), JetStreamKeyValue(client), AsyncClock(), "reader-1")
        return Inbox(ports, SUBJECT)

    def requests(self) -> int:
        return self.reading.stats["out_msgs"]


def play(folder: Path, script: Callable[[Reading], Awaitable[None]]) -> None:
    async def run(server: NatsServer) -> None:
        clients = [await connect(server.url, None, name, WAIT_SECONDS) for name in ("w", "r")]
        try:
            await provision(clients[0])
            await script(Reading(server, clients[0], clients[1]))
        finally:
            for client in clients:
                await client.close()

    with running_server(folder) as server:
        asyncio.run(run(server))


async def take(inbox: Inbox, count: int) -> list[int]:
    return [(await inbox.next()).sequence for _ in range(count)]


def test_a_reader_that_keeps_up_asks_for_nothing(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        inbox = reading.inbox()
        await reading.publish(1)
        assert await take(inbox, 1) == [1]
        before = reading.requests()
        for number in range(2, 100):
            (taken,), _ = await asyncio.gather(take(inbox, 1), reading.publish(1))
            assert taken == number
        assert reading.requests() == before

    play(tmp_path, script)


def test_a_reader_that_was_busy_reads_what_it_could_not_keep(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        inbox = reading.inbox()
        await reading.publish(1)
        assert await take(inbox, 1) == [1]
        await reading.publish(3 * KEPT)
        assert await take(inbox, 3 * KEPT) == list(range(2, 3 * KEPT + 2))

    play(tmp_path, script)


def test_what_was_stored_while_the_reader_was_cut_off_is_read_from_the_log(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        inbox = reading.inbox()
        await reading.publish(1)
        assert await take(inbox, 1) == [1]
        await asyncio.to_thread(reading.server.kill)
        await asyncio.to_thread(reading.server.start)
        await reading.writing.flush()
        await reading.publish(5)
        assert await take(inbox, 5) == [2, 3, 4, 5, 6]
        await reading.publish(1)
        assert await take(inbox, 1) == [7]

    play(tmp_path, script)


def test_a_message_tells_when_it_was_stored(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        inbox = reading.inbox()
        assert not await inbox.look(0.1)
        before = time.time_ns()
        await reading.publish(1)
        stored = await inbox.next()
        assert before - 1_000_000 <= stored.stored_at <= time.time_ns() + 1_000_000

    play(tmp_path, script)


def test_the_place_of_a_message_is_the_servers_whatever_its_publisher_says(tmp_path: Path) -> None:
    spoofed = {
        "Nats-Sequence": "999",
        "Nats-Subject": "orders.other.paper",
        "Nats-Last-Sequence": "998",
        "Nats-Time-Stamp": "yesterday",
    }

    async def script(reading: Reading) -> None:
        arrivals = await JetStreamBus(reading.reading).arrivals(SUBJECT)
        await JetStreamBus(reading.reading).last(SUBJECT)
        headers = headers_of(message("0"), 0) | spoofed
        await reading.writing.request(SUBJECT, b"", headers=headers)
        heard = await arrivals.next(WAIT_SECONDS)
        assert [heard] == list(await JetStreamBus(reading.writing).read(SUBJECT, 0))
        assert heard is not None
        assert (heard.sequence, heard.message.subject) == (1, SUBJECT)

    play(tmp_path, script)


def test_what_no_stream_says_is_not_heard(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        arrivals = await JetStreamBus(reading.reading).arrivals(SUBJECT)
        await JetStreamBus(reading.reading).last(SUBJECT)
        for headers in (None, headers_of(message("0"), 0)):
            await reading.writing.publish(stored_subject(SUBJECT), b"forged", headers=headers)
        await reading.writing.flush()
        await reading.publish(1)
        heard = await arrivals.next(WAIT_SECONDS)
        assert heard is not None
        assert (heard.sequence, heard.message.payload) == (1, b"0")

    play(tmp_path, script)
