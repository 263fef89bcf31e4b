"""What every test stands on: one Hypothesis profile, and figures that survive the workers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", parent=settings.get_profile("house"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

FIGURE = "figure"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the long suites are; `make simulation` and `make chaos` ask for more."""
    parser.addoption("--seeds", type=int, default=200, help="seeds of the fault simulation")
    parser.addoption("--kills", type=int, default=1, help="sessions with a random kill")
    parser.addoption("--screenshots", type=Path, help="folder that keeps the console's pictures")
    parser.addoption("--long", action="store_true", help="also the tests marked `long`")
    parser.addoption("--closes", type=int, default=400, help="of the memory test's short session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` are counted as deselected unless they are asked for."""
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
