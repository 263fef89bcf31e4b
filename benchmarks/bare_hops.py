"""What a replay is held against: JetStream hops between processes, and nothing else.

    CHAIN  head ─BARS─▶ relay ─SIGNALS─▶ relay ─ORDERS─▶ relay ─FILLS─▶ head
    FLOW   the services' own readers: signals of a close wait for its bars, orders for its bars,
           signals and fills, fills for its bars and the orders of the close before

Each relay is a process that hears messages as they are stored and publishes the next hop's payload;
the client's own subscriptions and publishes, one account, no lanes, no engine, no durable consumers
on either side. The payloads are a real session's. `python -m benchmarks.bare_hops FILE` is one
process; the file tells its part.
"""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import nats
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import RePublish, StreamConfig

NOUNS = ("bars", "signals", "orders", "fills")
LAST = "bare"

HEAD = "bars"

Graph = Mapping[str, Mapping[str, int]]  # what each noun's process waits for, and closes back
CHAIN: Graph = {
    "bars": {"fills": 0},
    "signals": {"bars": 0},
    "orders": {"signals": 0},
    "fills": {"orders": 0},
}
FLOW: Graph = {
    "bars": {"orders": 0},
    "signals": {"bars": 0},
    "orders": {"bars": 0, "signals": 0, "fills": 0},
    "fills": {"bars": 0, "orders": 1},
}


@dataclass(frozen=True)
class Part:
    """What one process does. takes : the nouns it waits for, and how many closes back each is.
    gives : the noun it publishes.

    payloads : one per close, base64. window : closes that the head lets run ahead.
    """

    url: str
    takes: dict[str, int]
    gives: str
    payloads: list[str]
    window: int
    out: str


async def _play(part: Part) -> None:
    client = await nats.connect(part.url)
    jetstream = client.jetstream()
    payloads = [base64.b64decode(text) for text in part.payloads]
    inputs = {noun: await client.subscribe(f"stored.{noun}.{LAST}") for noun in part.takes}
    if part.gives == HEAD:
        await _head(part, jetstream, next(iter(inputs.values())), payloads)
    else:
        await _relay(part, jetstream, inputs, payloads)
    await client.close()


async def _relay(
    part: Part,
    jetstream: JetStreamContext,
    inputs: Mapping[str, Subscription],
    payloads: Sequence[bytes],
) -> None:
    for number, payload in enumerate(payloads):
        due = [inputs[noun] for noun, closes_back in part.takes.items() if number >= closes_back]
        for reader in due:
            await reader.next_msg(timeout=60)
        await jetstream.publish(f"{part.gives}.{LAST}", payload)


async def _head(
    part: Part,
    jetstream: JetStreamContext,
    subscription: Subscription,
    payloads: Sequence[bytes],
) -> None:
    room = asyncio.Semaphore(part.window)
    began, ended = [0.0] * len(payloads), [0.0] * len(payloads)

    async def receive() -> None:
        for number in range(len(payloads)):
            await subscription.next_msg(timeout=60)
            ended[number] = time.perf_counter()
            room.release()

    receiving = asyncio.create_task(receive())
    for number, payload in enumerate(payloads):
        await room.acquire()
        began[number] = time.perf_counter()
        await jetstream.publish(f"{part.gives}.{LAST}", payload)
    await receiving
    Path(part.out).write_text(json.dumps({"begun": began, "ended": ended}))


async def prepare(url: str) -> None:
    """Make the streams, one subject each."""
    client = await nats.connect(url)
    for noun in NOUNS:
        await client.jetstream().add_stream(
            StreamConfig(
                name=noun.upper(),
                subjects=[f"{noun}.{LAST}"],
                republish=RePublish(src=f"{noun}.{LAST}", dest=f"stored.{noun}.{LAST}"),
            )
        )
    await client.close()


def run_hops(
    graph: Graph, folder: Path, url: str, payloads: Mapping[str, list[bytes]], window: int
) -> tuple[list[float], list[float]]:
    """When each close began and ended, in seconds of one clock, through a graph's processes."""
    asyncio.run(prepare(url))
    parts = [
        Part(url, dict(takes), gives, _texts(payloads[gives]), window, str(folder / f"{gives}.out"))
        for gives, takes in graph.items()
    ]
    heads = [part for part in parts if part.gives == HEAD]
    with _processes(folder, [part for part in parts if part.gives != HEAD]):
        time.sleep(1.0)  # relays subscribe
        with _processes(folder, heads):
            pass
    told = json.loads((folder / f"{HEAD}.out").read_text())
    return told["begun"], told["ended"]


@contextmanager
def _processes(folder: Path, parts: Sequence[Part]) -> Iterator[None]:
    """Start, and wait for all to end well."""
    running = []
    for part in parts:
        file = folder / f"{part.gives}.part.json"
        file.write_text(json.dumps(asdict(part)))
        running.append(subprocess.Popen([sys.executable, "-m", "benchmarks.bare_hops", str(file)]))
    try:
        yield
        for process in running:
            if process.wait(300):
                raise RuntimeError(f"a bare relay ended with {process.returncode}")
    finally:
        for process in running:
            process.kill()
            process.wait()


def _texts(payloads: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(payload).decode() for payload in payloads]


if __name__ == "__main__":
    asyncio.run(_play(Part(**json.loads(Path(sys.argv[1]).read_text()))))
