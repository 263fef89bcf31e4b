"""A cold process with a warm cache compiles nothing: numba's own cache statistics say so."""

import json
import subprocess
import sys
from pathlib import Path

import numba
import pytest

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
ENTRANCES = {
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
