"""A queue of Monte Carlo runs, drained by one replica and by two, each on a processor of its own.

    runs ─▶ the first replica, which asks for their shards on the bus ─▶ whoever computes

All runs are asked of the first one, so the second one takes its part by the bus alone: whom a
client's connection happens to reach decides nothing.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.processes.monte_carlo_process import MonteCarloProcess, request

RUNS, PATHS, TIME_STEPS = 32, 100_000, 63
LOOK_SECONDS = 0.1
OPEN = 'stratvector_monte_carlo_open_runs{state="%s"}'
COMPUTED = "stratvector_monte_carlo_paths_total"


@dataclass(frozen=True)
class Drain:
    """What became of a queue. seconds : from the first request to the last result. longest : most
    open runs at once. cpu_seconds, paths : of each replica. memory : MiB of the largest one.
    """

    seconds: float
    longest: float
    cpu_seconds: tuple[float, ...]
    paths: tuple[float, ...]
    memory: float


def drained(folder: Path, processors: Sequence[int], runs: int = RUNS) -> Drain:
    """A queue of runs, with a replica of one thread on each of some processors."""
    folder.mkdir()
    settings = ServerSettings(folder / "store", free_port(), max_payload_bytes=1024 * 1024)
    server = NatsServer(settings, folder, folder / "nats.log")
    with ExitStack() as ends:
        server.start()
        ends.callback(server.stop)
        replicas = list[MonteCarloProcess]()
        for number, processor in enumerate(processors, 1):
            name = f"monte_carlo-{number}"
            replica = MonteCarloProcess(folder, name, nats_url=server.url, workers=1)
            with _on(processor):
                replicas.append(ends.enter_context(replica))
        for replica in replicas:
            replica.until_state("owner")
        return _drained(replicas, runs)


@contextmanager
def _on(processor: int) -> Iterator[None]:
    """What starts meanwhile stays on one processor, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _drained(replicas: Sequence[MonteCarloProcess], runs: int) -> Drain:
    first, seen, ended = replicas[0], list[float](), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            seen.append(sum(first.metric(OPEN % state) for state in ("waiting", "under_way")))

    looking = threading.Thread(target=look)
    looking.start()
    cpu, begun = _cpu_seconds(replicas), time.perf_counter()
    try:
        with ThreadPoolExecutor(runs) as asking:
            asked = [request(PATHS, TIME_STEPS, seed) for seed in range(runs)]
            list(asking.map(first.run, asked))
        seconds = time.perf_counter() - begun
    finally:
        ended.set()
        looking.join()
    return Drain(
        seconds,
        max(seen, default=0.0),
        tuple(now - then for now, then in zip(_cpu_seconds(replicas), cpu, strict=True)),
        tuple(one.metric(COMPUTED) for one in replicas),
        max(psutil.Process(one.pid).memory_info().rss for one in replicas) / (1024 * 1024),
    )


def _cpu_seconds(replicas: Sequence[MonteCarloProcess]) -> list[float]:
    return [sum(psutil.Process(one.pid).cpu_times()[:2]) for one in replicas]
