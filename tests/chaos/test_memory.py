"""A session ten times as long takes no process more memory.

Compared is the memory that no file stands behind (the kernel's "Anonymous"), the most that a
process had while the second half of the session was settled. Not RSS or USS: both count pages of
programs and libraries, the first those that siblings share, which would hide growth, the second
those that nobody else happens to use, so that another test's nats-server changes it by a quarter.

Not a single look: nats-server's is caches of a bounded size and Go's garbage, which it collects
when its budget (`jetstream.server.MEMORY`) is full and not before. How soon a short session fills
it depends on how many messages come at once, so in both its monitor is asked until it takes no
more, and what it took then counts. How far it goes beyond its budget at its worst moment depends on
what else the processors do: it is compared by `make chaos`, where nothing runs beside it. The short
session is long enough for the other processes to load all their code.
"""

import asyncio
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.sessions import synthetic_session
from stratvector.cli.platform.session_watch import until_committed
from stratvector.trading.flow import SERVICES
from tests.sessions.process_flow import Running, run_processes

LONGER = 10
GROWTH_MAX = 0.10
LOOK_SECONDS = 0.2
MEBIBYTE = 1 << 20
# So many answers leave more garbage than the budget: rising stops only when it is collected.
STEADY_ANSWERS = 2_000
STEADY = 1.01


def own_memory(pid: int | None) -> float:
    """The memory of a process that no file stands behind, MiB."""
    assert pid is not None, "a process ended in the middle of the session"
    return sum(part.anonymous for part in psutil.Process(pid).memory_maps()) / MEBIBYTE


def fill(pid: int | None, monitor_port: int) -> float:
    """Ask nats-server's monitor until its memory no longer rises; the most that it took, MiB."""
    url = f"http://127.0.0.1:{monitor_port}/jsz?streams=true&consumers=true&config=true"
    most = risen = own_memory(pid)
    steady = 0
    while steady < STEADY_ANSWERS:
        with urllib.request.urlopen(url) as answer:
            answer.read()
        steady += 1
        most = max(most, now := own_memory(pid))
        if now > STEADY * risen:
            risen, steady = now, 0
    return most


def memory_of(folder: Path, closes: int, with_server: bool) -> dict[str, float]:
    """MiB of each process by its name, in a session of so many closes; of nats-server if asked."""
    most: dict[str, float] = {}

    async def watch(run: Running) -> None:
        server, monitor = run.platform.children["nats-server"], run.platform.ports.monitor
        assert monitor is not None
        filled = asyncio.to_thread(fill, server.pid, monitor) if with_server else asyncio.sleep(0)
        filling = asyncio.create_task(filled)
        await run.reach(0.5)
        committed = asyncio.create_task(until_committed(run.platform, run.session, _nobody))
        both = asyncio.gather(filling, committed)
        while not both.done():
            await asyncio.wait([both], timeout=LOOK_SECONDS)
            for name, child in run.platform.children.items():
                assert child.starts == 1, f"{name} ended in the middle of the session"
                most[name] = max(own_memory(child.pid), most.get(name, 0.0))
        both.result()
        in_server = most.pop("nats-server")
        if (risen := filling.result()) is not None:
            most["nats-server"] = max(in_server, risen)

    run_processes(folder, synthetic_session(closes), disturb=watch)
    return most


def test_a_session_ten_times_as_long_grows_no_process(
    tmp_path: Path, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    """`make chaos` compares 2,000 closes with 20,000, `make test` 400 with 4,000."""
    closes, alone = request.config.getoption("--closes"), request.config.getoption("--long")
    short = memory_of(tmp_path / "short", closes, alone)
    long = memory_of(tmp_path / "long", LONGER * closes, alone)
    assert short.keys() == long.keys() == {*SERVICES} | ({"nats-server"} if alone else set())
    growth = {name: long[name] / short[name] - 1.0 for name in short}
    for name, by in growth.items():
        say(
            f"memory of {name}: {short[name]:.1f} MiB with {closes:,} closes, "
            f"{long[name]:.1f} MiB with {LONGER * closes:,} ({by:+.1%})"
        )
    assert {name: by for name, by in growth.items() if by > GROWTH_MAX} == {}


def _nobody(done: int, closes: int, close_time: int) -> None:
    """Nobody watches."""
