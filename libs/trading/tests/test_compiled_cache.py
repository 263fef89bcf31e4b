"""A cold process with a warm cache compiles nothing: numba's own cache statistics say so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numba
import pytest

from stratvector.trading.engine.compiling import engine_hash

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT),  # type: ignore[attr-defined]
    reason="there is no cache where nothing is compiled",
)

ROOT = Path(__file__).resolve().parents[3]
PLANTED = """
from stratvector.trading.engine.compiling import engine_jit

@engine_jit
def planted(x):
    return x + 1
"""
SLOW_WRITER = """
import sys, time
from numba.core import caching
from stratvector.trading.engine.compiling import engine_jit

read = caching.IndexDataCacheFile._load_index
def read_slowly(self):
    index = read(self)
    time.sleep(0.3)
    return index
caching.IndexDataCacheFile._load_index = read_slowly

sys.path.insert(0, sys.argv[1])
import planted
print("ready", flush=True)
sys.stdin.read()
print(planted.planted(eval(sys.argv[2])), sum(planted.planted.stats.cache_hits.values()))
"""
ENTRANCES = {
    "stratvector.trading.engine.session.run_events",
    "stratvector.trading.engine.session.run_recorded",
    "stratvector.trading.engine.step.decide",
    "stratvector.trading.engine.step.observe",
    "stratvector.trading.engine.step.place",
    "stratvector.trading.engine.account.settle_fill",
    "stratvector.trading.engine.matching.match_market",
    "stratvector.trading.engine.allocation.split_fill",
    "stratvector.trading.engine.scan._scan",
    "stratvector.trading.engine.scan.round_row",
    "stratvector.trading.engine.sweep.run_columns",
}


def python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def counted(*planted: Path) -> dict[str, list[str]]:
    told = json.loads(python("-m", "tests.sessions.compile_counts", *map(str, planted)))
    return {kind: list(names) for kind, names in told.items()}


@pytest.fixture(scope="module")
def warm() -> None:
    python("-m", "stratvector.trading.warm")


@pytest.mark.usefixtures("warm")
def test_a_cold_process_after_setup_compiles_nothing() -> None:
    told = counted()
    assert told["misses"] == []
    assert set(told["hits"]) >= ENTRANCES


@pytest.mark.usefixtures("warm")
def test_a_planted_function_that_is_not_in_the_cache_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(PLANTED)
    assert counted(planted)["misses"] == ["stratvector_planted.planted"]
    assert "stratvector_planted.planted" in counted(planted)["hits"]


WITHOUT_NUMBA = """
import importlib.metadata, os, sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numba", "llvmlite"):
            raise ModuleNotFoundError(f"No module named {name!r}")

def version(name):
    if name == "numba":
        raise importlib.metadata.PackageNotFoundError(name)
    return "0"

sys.meta_path.insert(0, Absent())
importlib.metadata.version = version
os.environ["NUMBA_DISABLE_JIT"] = "1"
from stratvector.trading.engine.compiling import engine_hash
from stratvector.trading.simulated_broker import SimulatedBroker
print(engine_hash(), "numba" in sys.modules)
"""


def test_a_process_without_numba_tells_the_same_engine() -> None:
    assert python("-c", WITHOUT_NUMBA).split() == [engine_hash(), "False"]


def at_once(folder: Path, arguments: Iterable[str]) -> dict[str, str]:
    """What `planted` gives for each argument, and how often it was in the cache, by processes that
    call it at the same time.
    """
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", SLOW_WRITER, folder, argument],
                    env=os.environ | {"STRATVECTOR_CACHE": str(folder)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for argument in arguments
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.close()
        told = [writer.stdout.read().strip() for writer in writers if writer.stdout is not None]
    return dict(zip(arguments, told, strict=True))


def test_processes_that_compile_at_once_lose_no_code(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    sums = {"1": "2", "1.5": "2.5", "2j": "(1+2j)"}
    assert at_once(tmp_path, sums) == {argument: f"{total} 0" for argument, total in sums.items()}
    assert at_once(tmp_path, sums) == {argument: f"{total} 1" for argument, total in sums.items()}
