"""`make soak`: a life of a million closes, and whether it costs more at its end than at its start.

    memory      of each process at the end against a tenth of the way
    cold start  kill -9, until another instance owns the lane again and has published: at the end
                against a tenth of the way
    archive     with --archive: closed chapters are written to files, proven by parity on the files
                alone and purged, on the way and at the end

Memory is the kernel's "Anonymous": what no file stands behind. A chapter opens every 5,000 closes,
and whoever starts reads from the newest one.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import Figure, report
from benchmarks.sessions import synthetic_life
from stratvector.runtime.jetstream.accounts import PROVISIONER
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.flow import SERVICES
from tests.sessions.process_flow import Owner, Running, run_life

CLOSES = 30_000
ARCHIVE = (sys.executable, "-m", "stratvector.cli", "archive")
TENTH, END = 0.1, 0.95  # where memory is looked at, each time over the stretch before
MIDWAY = 0.4  # the flow goes on meanwhile, and must not come to the end before it is done
STRETCH = 0.03
LOOK_SECONDS = 0.25
MEBIBYTE = 1 << 20
GROWTH_MAX = 1.10
START_SECONDS_MAX = 10.0


@dataclass
class Life:
    """What was seen. memory : MiB by process, start : seconds by service, archived : what the
    command said, each by the place. archive : where closed chapters go, None to leave the log.
    """

    archive: Path | None = None
    memory: dict[float, dict[str, float]] = field(default_factory=dict)
    start: dict[float, dict[str, float]] = field(default_factory=dict)
    archived: dict[float, dict[str, Any]] = field(default_factory=dict)

    async def watch(self, run: Running) -> None:
        """Look at both places, memory first, as a start begins with little."""
        for place in (TENTH, MIDWAY, END):
            if place == MIDWAY:
                await run.reach(place, LOOK_SECONDS)
                await self._archive(run, place)
                continue
            await run.reach(place - STRETCH, LOOK_SECONDS)
            self.memory[place] = await _most(run, place)
            self.start[place] = {service: await _started(run, service) for service in SERVICES}
        await self._archive(run, END)

    async def _archive(self, run: Running, place: float) -> None:
        """Raises RuntimeError where the archive is not proven."""
        if self.archive is None:
            return
        begun, before = time.perf_counter(), _stored_bytes(run)
        command = [*ARCHIVE, PortfolioRun.of(run.session.portfolio).key, "--to", str(self.archive)]
        platform = run.platform
        command += ["--nats-url", platform.bus.url]
        command += ["--seed-file", str(platform.bus.seed_file(PROVISIONER))]
        command += ["--address", f"127.0.0.1:{platform.ports.seats['ledger'].grpc}", "--json"]
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        watching = asyncio.create_task(_peak(child))
        told, complaint = await child.communicate()
        if child.returncode:
            raise RuntimeError(complaint.decode())
        files = sum(one.stat().st_size for one in self.archive.iterdir())
        self.archived[place] = json.loads(told) | {
            "seconds": time.perf_counter() - begun,
            "stored_before": before,
            "stored_after": _stored_bytes(run),
            "files": files,
            "peak": await watching,
        }


def _stored_bytes(run: Running) -> int:
    """What the server keeps on its disk."""
    store = run.platform.bus.store
    return sum(one.stat().st_size for one in store.rglob("*") if one.is_file())


async def _most(run: Running, until: float) -> dict[str, float]:
    """The most that each process has up to a place of the session, MiB."""
    most: dict[str, float] = {}
    while await run.fraction() < until:
        for name, child in run.platform.children.items():
            most[name] = max(most.get(name, 0.0), _anonymous(child.pid))
        await asyncio.sleep(LOOK_SECONDS)
    return most


async def _peak(child: asyncio.subprocess.Process) -> float:
    """The most memory that a process has until it ends, MiB."""
    most = 0.0
    while child.returncode is None:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            most = max(most, psutil.Process(child.pid).memory_info().rss / MEBIBYTE)
        await asyncio.sleep(LOOK_SECONDS)
    return most


def _anonymous(pid: int | None) -> float:
    if pid is None:
        return 0.0
    return sum(part.anonymous for part in psutil.Process(pid).memory_maps()) / MEBIBYTE


async def _started(run: Running, service: str) -> float:
    """Seconds from a kill until the heir owns the lane and has published."""
    before = await run.owner(service)
    begun = time.perf_counter()
    os.kill(before.pid, signal.SIGKILL)
    after = await run.new_owner(service, before)
    await _published(run, service, after)
    return time.perf_counter() - begun


async def _published(run: Running, service: str, owner: Owner) -> None:
    """Until the newest message of the lane is content in the name of an owner."""
    lane = run.lane(service)
    while True:
        last = await run.bus.last(lane)
        is_new = last is not None and last.message.epoch >= owner.epoch
        if last is not None and is_new and last.message.kind.value != "owner":
            return
        await asyncio.sleep(0.02)


def figures(life: Life, closes: int) -> list[Figure]:
    """Rows of memory, then of starts."""
    rows = []
    for name, end in life.memory[END].items():
        tenth = life.memory[TENTH][name]
        goal = f"at most {GROWTH_MAX:.2f} of a tenth of the way"
        ratio = end / tenth
        case = f"memory of {name}, {closes:,} closes"
        rows.append(Figure(case, "a tenth", end, tenth, "MiB", ratio, goal, ratio <= GROWTH_MAX))
    for name, end in life.start[END].items():
        tenth = life.start[TENTH][name]
        goal = f"at most {START_SECONDS_MAX:g} s"
        case = f"cold start of {name}, lease included"
        rows.append(
            Figure(case, "a tenth", end, tenth, "s", end / tenth, goal, end <= START_SECONDS_MAX)
        )
    return [*rows, *_archived(life)]


def _archived(life: Life) -> list[Figure]:
    rows = list[Figure]()
    if len(life.archived) > 1:
        first, last = (life.archived[place]["peak"] for place in (MIDWAY, END))
        what, goal = "memory of the archive command", "at most 1.10 of the first time"
        ratio = last / first
        rows.append(Figure(what, "first", last, first, "MiB", ratio, goal, ratio <= GROWTH_MAX))
    for place, told in life.archived.items():
        where, count = f"archive at {place:.0%} of the way", len(told["archived"])
        proven = float(told["proven"])
        goal = "all that are archived"
        rows.append(
            Figure(f"{where}, closes proven", "–", proven, None, "closes", None, goal, proven > 0)
        )
        rows.append(
            Figure(
                f"{where}, {count} chapters, {sum(told['purged'].values()):,} messages purged",
                "before",
                told["stored_after"] / MEBIBYTE,
                told["stored_before"] / MEBIBYTE,
                "MiB",
                told["stored_after"] / told["stored_before"],
                f"{told['seconds']:.0f} s, files of {told['files'] / MEBIBYTE:.1f} MiB",
                True,
            )
        )
    return rows


def main(arguments: list[str]) -> int:
    """Run a life, print and keep its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--closes", type=int, default=CLOSES, help="length of the life")
    parser.add_argument("--archive", action="store_true", help="archive and purge on the way")
    told = parser.parse_args(arguments)
    closes = told.closes
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder) / "archive" if told.archive else None)
        run_life(Path(folder), synthetic_life(closes), life.watch)
    report("soak", figures(life, closes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
