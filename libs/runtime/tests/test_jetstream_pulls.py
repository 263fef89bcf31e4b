"""How a durable consumer asks a real server: seldom, whether its reader keeps up or is behind."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
from nats.aio.client import Client

from libs.runtime.tests.test_bus_conformance import (
    DURABLE,
    PORTFOLIO,
    SUBJECT,
    message,
    running_server,
)
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.consumer import LONG_MAX, SWEEP_MAX, JetStreamConsumer
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.ports import Stored

WAIT_SECONDS = 10.0


class Reading:
    """A publisher and a reader with a connection of its own, whose requests are counted."""

    def __init__(self, writing: Client, reading: Client) -> None:
        self._bus, self._reading = JetStreamBus(writing), reading
        self._consumer = JetStreamBus(reading).consumer(DURABLE, SUBJECT)
        self._sequence = 0

    async def publish(self, count: int) -> None:
        for _ in range(count):
            sent = message(f"{self._sequence}", payload=b"%d" % self._sequence)
            self._sequence = (await self._bus.publish(sent, self._sequence)).sequence

    async def read(self, count: int) -> list[Stored]:
        return [await read_one(self._consumer) for _ in range(count)]

    def requests(self) -> int:
        return self._reading.stats["out_msgs"]


async def read_one(consumer: JetStreamConsumer) -> Stored:
    stored = await consumer.next(WAIT_SECONDS)
    assert stored is not None
    return stored


def play(folder: Path, script: Callable[[Reading], Awaitable[None]]) -> None:
    async def run(url: str) -> None:
        async with await nats.connect(url) as writing, await nats.connect(url) as reading:
            await provision(writing, PORTFOLIO)
            await script(Reading(writing, reading))

    with running_server(folder) as server:
        asyncio.run(run(server.url))


def sequences(stored: list[Stored]) -> list[int]:
    return [one.sequence for one in stored]


def test_a_reader_that_is_behind_sweeps_up_what_is_there(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        count = LONG_MAX + 3 * SWEEP_MAX
        await reading.publish(count)
        assert sequences(await reading.read(count)) == list(range(1, count + 1))
        assert reading.requests() == 1 + 3

    play(tmp_path, script)


def test_a_sweep_of_fewer_than_it_may_bring_ends_and_the_rest_is_not_lost(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        await reading.publish(LONG_MAX + 40)
        await reading.read(LONG_MAX + 40)
        # The sweep brought forty and ended, so what comes now needs another request.
        before = reading.requests()
        await reading.publish(3)
        last = await reading.read(3)
        assert sequences(last) == [LONG_MAX + 41, LONG_MAX + 42, LONG_MAX + 43]
        assert reading.requests() == before + 1

    play(tmp_path, script)


def test_a_reader_that_keeps_up_asks_once_for_many(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        for number in range(2 * LONG_MAX):
            (stored,), _ = await asyncio.gather(reading.read(1), reading.publish(1))
            assert stored.sequence == number + 1
        assert reading.requests() == 2

    play(tmp_path, script)


def test_a_reader_that_caught_up_by_a_sweep_waits_for_the_next_message(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        await reading.publish(LONG_MAX + SWEEP_MAX)
        await reading.read(LONG_MAX + SWEEP_MAX)
        waiting = asyncio.create_task(reading.read(1))
        await asyncio.sleep(0.05)
        await reading.publish(1)
        assert sequences(await waiting) == [LONG_MAX + SWEEP_MAX + 1]

    play(tmp_path, script)
