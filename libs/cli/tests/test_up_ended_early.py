"""`stratvector up`, ended while it loads prices and writes the session: nothing half written stays.

The real command, stopped at a chosen file by an audit hook until a line comes on standard input.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stratvector.cli.platform.run_folder import earlier_run, new_run
from stratvector.config import load_session, read_configuration
from tests.processes.told import wait_for

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

LOADING = "import", "polars"
WRITING = "open", "document.json"
REMOVING = "shutil.rmtree", ""
PATIENCE_SECONDS = 120.0
STOPPING = """
import sys
from stratvector.cli.main import main

places = [tuple(place.split("=")) for place in sys.argv.pop(1).split(",")]

def stop(event, arguments):
    for place, name in places:
        if event == place and str(arguments[0]).endswith(name):
            print("stopped at", place, file=sys.stderr, flush=True)
            sys.stdin.readline()

sys.addaudithook(stop)
main()
"""


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """SIGHUP as a terminal's shell leaves it, whatever the tests were started from."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("stop", "number"),
    [
        (LOADING, signal.SIGTERM),
        (WRITING, signal.SIGINT),
        # Of SIGTERM and SIGHUP while writing, the tests below tell the same.
        pytest.param(WRITING, signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(WRITING, signal.SIGHUP, marks=pytest.mark.long),
    ],
    ids=["loading, SIGTERM", "writing, Ctrl-C", "writing, SIGTERM", "writing, SIGHUP"],
)
def test_whatever_ends_the_command_early_ends_it_as_ctrl_c_does(
    place: Place, stop: tuple[str, str], number: signal.Signals
) -> None:
    with up_until(stop) as process:
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert "stratvector: interrupted before the end" in said
    assert "Traceback" not in said
    assert list(place.folder.glob("results/*")) == []
    assert not (place.folder / "logs").exists()


def test_a_terminal_that_says_twice_that_it_closes_does_not_cut_the_way_out_short(
    place: Place,
) -> None:
    with up_until(WRITING, REMOVING) as process:
        process.send_signal(signal.SIGHUP)
        wait_for(process, f"stopped at {REMOVING[0]}")
        process.send_signal(signal.SIGHUP)
        _, said = process.communicate("\n", timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert list(place.folder.glob("results/*")) == []


def test_a_hang_up_under_nohup_does_not_end_the_command(place: Place) -> None:
    with up_until(LOADING, WRITING, before=["nohup"]) as process:
        process.send_signal(signal.SIGHUP)
        release(process)
        wait_for(process, f"stopped at {WRITING[0]}")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert list(place.folder.glob("results/*")) == []


def test_what_a_kill_leaves_of_a_session_is_no_run_and_takes_no_number(place: Place) -> None:
    with up_until(WRITING) as process:
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert all(left.name.startswith(".draft-") for left in place.results())
    configuration = read_configuration(place.config / "system.yaml")
    run = new_run(configuration, load_session(configuration.path), place.folder / "results")
    assert run.folder.name.endswith("-1")
    assert earlier_run(run.session_folder) == run


@contextmanager
def up_until(
    *stops: tuple[str, str], before: list[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command as a process that has come to the first stop."""
    told = ",".join("=".join(stop) for stop in stops)
    process = subprocess.Popen(
        [*(before or []), sys.executable, "-c", STOPPING, told, "up", "--once", "--base-port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(process, f"stopped at {stops[0][0]}")
        yield process
    finally:
        process.kill()
        process.communicate()


def release(process: subprocess.Popen[str]) -> None:
    """Let it go on to the next stop."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
