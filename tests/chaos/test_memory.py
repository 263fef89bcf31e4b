"""A session ten times as long takes no process more memory.

Compared is the memory that a process has for itself (USS), the most that it had while the second
half of the session was settled. Not RSS: half of a Python process's is libraries that it shares
with its siblings, which would hide growth. Not a single look: nats-server's is caches of a bounded
size and Go's garbage, a saw tooth. The short session is long enough to load all code and to fill
the server's budget (`jetstream.server.MEMORY`), below which it collects no garbage; half as long a
one is not, on a busy machine.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.sessions import synthetic_session
from stratvector.cli.platform.session_watch import until_committed
from tests.sessions.process_flow import Running, run_processes

LONGER = 10
GROWTH_MAX = 0.10
LOOK_SECONDS = 0.2
MEBIBYTE = 1 << 20


def memory_of(folder: Path, closes: int) -> dict[str, float]:
    """MiB of each process by its name, in a session of so many closes."""
    most: dict[str, float] = {}

    async def watch(run: Running) -> None:
        await run.reach(0.5)
        committed = asyncio.create_task(until_committed(run.platform, run.session, _nobody))
        while not committed.done():
            await asyncio.wait([committed], timeout=LOOK_SECONDS)
            for name, child in run.platform.children.items():
                assert child.starts == 1, f"{name} ended in the middle of the session"
                own = psutil.Process(child.pid).memory_full_info().uss / MEBIBYTE
                most[name] = max(own, most.get(name, 0.0))
        committed.result()

    run_processes(folder, synthetic_session(closes), disturb=watch)
    return most


def test_a_session_ten_times_as_long_grows_no_process(
    tmp_path: Path, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    """`make chaos` compares 2,000 closes with 20,000; `make test` 800 with 8,000."""
    closes = request.config.getoption("--closes")
    short = memory_of(tmp_path / "short", closes)
    long = memory_of(tmp_path / "long", LONGER * closes)
    growth = {name: long[name] / short[name] - 1.0 for name in short}
    for name, by in growth.items():
        say(
            f"memory of {name}: {short[name]:.1f} MiB with {closes:,} closes, "
            f"{long[name]:.1f} MiB with {LONGER * closes:,} ({by:+.1%})"
        )
    assert {name: by for name, by in growth.items() if by > GROWTH_MAX} == {}


def _nobody(done: int, closes: int) -> None:
    """Nobody watches."""
