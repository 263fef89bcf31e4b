"""What every test stands on: one Hypothesis profile, and figures that survive the workers."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", parent=settings.get_profile("house"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

FIGURE = "figure"
# The files of `make test` that take longest, by `--durations`; tests/architecture holds the names.
SLOWEST = (
    "tests/e2e/test_console.py",
    "libs/cli/tests/test_up_processes.py",
    "libs/cli/tests/test_up_changes.py",
    "tests/telemetry/test_flow_traces.py",
    "tests/deploy/test_helm_generated.py",
    "libs/runtime/tests/test_service_process.py",
    "tests/processes/test_each_service_alone.py",
    "tests/processes/test_session_on_postgresql.py",
    "tests/chaos/test_memory.py",
    "tests/processes/test_paper_restart.py",
    "libs/cli/tests/test_up_ended_early.py",
    "tests/telemetry/test_untraced_processes.py",
    "tests/processes/test_other_engine.py",
    "tests/chaos/test_kills.py",
    "tests/simulation/test_crash_points.py",
    "tests/simulation/test_storms.py",
    "services/research/tests/test_research_recovery.py",
    "tests/flow/test_examples.py",
    "tests/flow/test_sample_parity.py",
    "libs/cli/tests/test_platform_start.py",
    "tests/chaos/test_walled_hosts.py",
    "libs/trading/tests/test_compiled_cache.py",
    "tests/security/test_secured_processes.py",
    "tests/processes/test_paper_run.py",
    "tests/simulation/test_chapters.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Bounds are checked in the tests' own process (NUMBA_BOUNDSCHECK=1, as `make test` says).
    Processes that tests start run the code that set-up has compiled, as a user's do, instead of
    each compiling the engine anew; a controller of workers leaves the switch to them.
    """
    if config.getoption("numprocesses", None):
        return
    importlib.import_module("stratvector.trading.engine.compiling")  # reads the switch
    os.environ.pop("NUMBA_BOUNDSCHECK", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the long suites are; `make simulation` and `make chaos` ask for more."""
    parser.addoption("--seeds", type=int, default=80, help="seeds of the fault simulation")
    parser.addoption("--kills", type=int, default=1, help="sessions with a random kill")
    parser.addoption("--screenshots", type=Path, help="folder that keeps the console's pictures")
    parser.addoption("--long", action="store_true", help="also the tests marked `long`")
    parser.addoption(
        "--containers", choices=("short", "all"), help="tests of these images, which are built"
    )
    parser.addoption("--closes", type=int, default=400, help="a tenth of the memory test's session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The slowest files begin, so that no worker ends alone with one of them.

    Tests marked `long` are counted as deselected unless they are asked for.
    """
    place = {Path(config.rootpath, file): number for number, file in enumerate(SLOWEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line at the end of the run, also when the test runs in a worker process."""

    def remember(line: str) -> None:
        request.node.user_properties.append((FIGURE, line))

    return remember


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests said."""
    reports = [r for group in ("passed", "failed") for r in terminalreporter.getreports(group)]
    figures = [text for r in reports for name, text in r.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
