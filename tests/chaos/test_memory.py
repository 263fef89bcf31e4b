"""When a session is ten times as long, no process takes more memory than it did.

Compared is the memory that no file stands behind (the kernel's "Anonymous"), the most that a
process had before a tenth of the session was decided, and in its second half. Not RSS or USS: both
count pages of programs and libraries, the first those that siblings share, which would hide growth,
the second those that nobody else happens to use, so that another test's nats-server changes it by a
quarter.

nats-server is not compared here: it holds caches of a bounded size, which a short session does not
fill. `make soak` compares it over a long life. A tenth is long enough for the other processes to
load all their code.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.sessions import synthetic_session
from stratvector.trading.flow import SERVICES
from tests.sessions.process_flow import Running, run_processes

LONGER = 10
GROWTH_MAX = 0.10
LOOK_SECONDS = 0.2
MEBIBYTE = 1 << 20


def own_memory(pid: int | None) -> float:
    """The memory of a process that no file stands behind, MiB."""
    assert pid is not None, "a process ended in the middle of the session"
    return sum(part.anonymous for part in psutil.Process(pid).memory_maps()) / MEBIBYTE


def look(run: Running, most: dict[str, float]) -> None:
    """What each service has now, where it is more than before."""
    for name in SERVICES:
        child = run.platform.children[name]
        assert child.starts == 1, f"{name} ended in the middle of the session"
        most[name] = max(own_memory(child.pid), most.get(name, 0.0))


def test_no_process_has_grown_when_a_session_is_ten_times_as_long(
    tmp_path: Path, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    """`make chaos` compares 2,000 closes with 20,000, `make test` 400 with 4,000."""
    closes = request.config.getoption("--closes")
    early, late = dict[str, float](), dict[str, float]()

    async def watch(run: Running) -> None:
        for most, begin, end in ((early, 0.5 / LONGER, 1 / LONGER), (late, 0.5, 1.0)):
            await run.reach(begin)
            look(run, most)
            while await run.fraction() < end:
                await asyncio.sleep(LOOK_SECONDS)
                look(run, most)

    run_processes(tmp_path, synthetic_session(LONGER * closes), disturb=watch)
    growth = {name: late[name] / early[name] - 1.0 for name in SERVICES}
    for name, by in growth.items():
        say(
            f"memory of {name}: {early[name]:.1f} MiB with {closes:,} closes, "
            f"{late[name]:.1f} MiB with {LONGER * closes:,} ({by:+.1%})"
        )
    assert {name: by for name, by in growth.items() if by > GROWTH_MAX} == {}
