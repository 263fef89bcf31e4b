"""`stratvector paper run` as a user starts it: stopped by Ctrl-C, started again, it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.processes.another_version import another_version
from tests.sessions.paper_flow import configure, exchange

COMMAND = Path(sys.executable).with_name("stratvector")
ORIGIN = 1_699_156_800 * NANOSECONDS_PER_SECOND
RATE = 60.0
STARTS = 3


def closes_told(
    place: Path, config: Path, count: int, environment: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Run until so many closes were told, then Ctrl-C; the exit code, and each close's line.
    environment : added to this process's own.
    """
    options = ["-c", str(config), "--out", str(place / "results"), "--base-port", "0"]
    command = [str(COMMAND), "paper", "run", *options]
    told: list[str] = []
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200", **(environment or {})},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line.rstrip())
            if len([one for one in told if " equity " in one]) == count:
                process.send_signal(signal.SIGINT)
                break
        told += process.stderr.read().splitlines()
    print(*told, sep="\n")  # noqa: T201  of a run that failed
    return process.returncode, [line.split(" ")[0] for line in told if " equity " in line]


@pytest.mark.long
def test_a_paper_run_that_is_stopped_goes_on_and_its_log_is_equal(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    """The test below stops it once, between two engines."""
    at = time.time_ns() // NANOSECONDS_PER_SECOND * NANOSECONDS_PER_SECOND
    with exchange() as venue:
        config = configure(tmp_path / "config", venue.urls(), ORIGIN, at, RATE)
        venue.live(ORIGIN + round((time.time_ns() - at) * RATE), RATE)
        closes: list[str] = []
        for _ in range(STARTS):
            code, told = closes_told(tmp_path, config, 3)
            assert code == 0
            closes += told
    assert closes == sorted(set(closes))
    parity = parity_of(tmp_path)
    assert parity["equal"]
    assert not parity["complete"]
    assert parity["closes"] >= len(closes) >= 3 * STARTS
    say(f"paper: {parity['closes']} closes of {STARTS} starts; parity equal to the newest")


def parity_of(place: Path) -> dict[str, Any]:
    run = place / "results" / "paper-paper.1"
    examined = subprocess.run(
        [str(COMMAND), "parity", str(run), "--json"], capture_output=True, text=True, check=False
    )
    assert examined.returncode == 0, examined.stderr
    found: dict[str, Any] = json.loads(examined.stdout)
    return found


def test_a_paper_run_goes_on_when_the_package_was_upgraded(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    """The same command, installed anew with another engine: it goes on in another chapter."""
    at = time.time_ns() // NANOSECONDS_PER_SECOND * NANOSECONDS_PER_SECOND
    with exchange() as venue:
        config = configure(tmp_path / "config", venue.urls(), ORIGIN, at, RATE)
        venue.live(ORIGIN + round((time.time_ns() - at) * RATE), RATE)
        closes: list[str] = []
        for environment in ({}, another_version(tmp_path / "another")):
            code, told = closes_told(tmp_path, config, 3, environment)
            assert code == 0
            closes += told
    assert closes == sorted(set(closes))
    parity = parity_of(tmp_path)
    chapters = parity["chapters"]
    assert parity["equal"]
    assert [one["chapter"] for one in chapters] == [1, 2]
    assert len({one["engine_hash"] for one in chapters}) == 2
    assert [one["proven"] for one in chapters] == [True, False]
    assert all(one["equal"] and one["closes"] >= 2 for one in chapters)
    say(f"paper run, upgraded: {[one['closes'] for one in chapters]} closes, parity equal in each")
