"""A folder of its own for each test: small configuration, generated prices, and the command."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stratvector.cli import console
from stratvector.cli.main import app
from tests.sessions.small_configuration import ConfigFolder, write_configuration


@dataclass(frozen=True)
class Place(ConfigFolder):
    """A test's folder; commands run inside it."""

    def run(self, *arguments: str) -> Result:
        """Run the command and keep what it printed."""
        return CliRunner().invoke(app, list(arguments))

    def backtest(self, *arguments: str) -> Result:
        """`stratvector backtest run` on the folder's configuration."""
        return self.run("backtest", "run", "--config", "config/system.yaml", *arguments)

    def up(self, *arguments: str) -> Result:
        """`stratvector up --in-process --once`."""
        return self.run("up", "--in-process", "--once", *arguments)

    def up_as_processes(self, *arguments: str) -> Result:
        """`stratvector up --once`, everything on free ports."""
        return self.run("up", "--once", "--base-port", "0", *arguments)

    def results(self) -> list[Path]:
        """The folders of runs; research keeps its jobs beside them."""
        return sorted(one for one in (self.folder / "results").iterdir() if one.name != "jobs")


@pytest.fixture(autouse=True)
def consoles() -> Iterator[None]:
    """Consoles of its own for each test: one whose reader went away stays silent for ever."""
    for kept in (console.output, console.aside):
        kept.cache_clear()
    yield
    for kept in (console.output, console.aside):
        kept.cache_clear()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with configuration and prices; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    write_configuration(tmp_path)
    return Place(tmp_path)
