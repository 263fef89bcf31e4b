"""doctor: whether this machine can run sessions; each check by itself, one verdict."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.backtest import Result

PYTHON_MIN = (3, 11)
PACKAGES = ("numpy", "numba", "polars", "protobuf", "pydantic", "exchange-calendars")
BUILD_TOOLS = ("cargo", "cc", "git")
CLOSES = 300  # of the small backtest
DAY_NS = 86_400_000_000_000


class State(StrEnum):
    """How a check ended. REMARK : runs work, but something is missing or slow."""

    GOOD = "good"
    REMARK = "remark"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One check's outcome; detail is a phrase."""

    check: str
    state: State
    detail: str


@dataclass(frozen=True)
class Examination:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is bad."""
        return all(f.state is not State.BAD for f in self.findings)

    @property
    def verdict(self) -> str:
        """One line."""
        bad = [f.check for f in self.findings if f.state is State.BAD]
        remarks = sum(f.state is State.REMARK for f in self.findings)
        if bad:
            return f"Not ready: {', '.join(bad)} must be repaired first."
        told = f", {remarks} with a remark" if remarks else ""
        return f"Ready: {len(self.findings)} checks passed{told}."

    def document(self) -> dict[str, Any]:
        """The examination as JSON values."""
        findings = [asdict(f) for f in self.findings]
        return {"healthy": self.healthy, "verdict": self.verdict, "checks": findings}


def examine(config: Path, verbose: bool = False) -> Examination:
    """Run every check; one that raises is a bad finding, never an error.

    verbose : list the versions of the packages that results depend on, too.
    """
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        *((("packages", _packages),) if verbose else ()),
        ("build tools", _build_tools),
        ("services", _services),
        ("nats-server", _nats_server),
        ("ports", _ports),
        ("configuration", lambda: _configuration(config)),
        ("data", lambda: _data(config)),
        ("compiled code", _compiled_code),
        ("folders", _folders),
        ("database", _database),
        ("small backtest", _small_backtest),
    )
    return Examination(tuple(_found(name, check) for name, check in checks))


def print_examination(console: "Console", examination: Examination) -> None:
    """A line per check, then the verdict."""
    from rich.table import Table

    marks = {State.GOOD: "[green]✓", State.REMARK: "[yellow]!", State.BAD: "[red]✗"}
    table = Table(box=None, show_header=False)
    for finding in examination.findings:
        table.add_row(marks[finding.state], finding.check, finding.detail)
    console.print(table)
    console.print(examination.verdict, style="bold green" if examination.healthy else "bold red")


def _found(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  whatever is wrong is the finding
        return Finding(name, State.BAD, str(error) or type(error).__name__)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON_MIN:
        return Finding("python", State.BAD, f"{version}, but 3.11 or newer is needed")
    return Finding("python", State.GOOD, version)


def _packages() -> Finding:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return Finding("packages", State.GOOD, versions)


def _build_tools() -> Finding:
    missing = [tool for tool in BUILD_TOOLS if shutil.which(tool) is None]
    if missing:
        detail = f"{', '.join(missing)} not found: needed to build, not to run"
        return Finding("build tools", State.REMARK, detail)
    return Finding("build tools", State.GOOD, ", ".join(BUILD_TOOLS))


def _services() -> Finding:
    from stratvector.runtime.deployment import installed_services

    return Finding("services", State.GOOD, ", ".join(installed_services()))


def _nats_server() -> Finding:
    from stratvector.runtime.jetstream.server import find_binary

    binary = find_binary()
    asked = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    if asked.returncode:
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        return Finding("nats-server", State.BAD, f"{binary} does not run: {said}")
    return Finding("nats-server", State.GOOD, asked.stdout.strip())


def _ports() -> Finding:
    from stratvector.cli.platform.ports import taken_ports, usual_plan

    plan = usual_plan()
    if taken := taken_ports(plan):
        listed = ", ".join(f"{number} ({purpose})" for number, purpose in taken)
        detail = f"taken: {listed}; `stratvector up --base-port N` takes others in a row from N"
        return Finding("ports", State.REMARK, detail)
    numbers = ", ".join(str(number) for number, _ in plan.purposes())
    return Finding("ports", State.GOOD, f"free: {numbers}")


def _configuration(config: Path) -> Finding:
    from stratvector.config import read_configuration

    read = read_configuration(config)
    models = ", ".join(model.entry.name for model in read.traded)
    return Finding("configuration", State.GOOD, f"{config}: {models}")


def _data(config: Path) -> Finding:
    from stratvector.config import read_configuration, session_of

    session = session_of(read_configuration(config))
    closes = ", ".join(f"{name} {len(h.bars):,}" for name, h in session.histories.items())
    return Finding("data", State.GOOD, f"closes with warm-up: {closes}")


def _compiled_code() -> Finding:
    from stratvector.trading.engine.compiling import cache_directory

    folder = cache_directory()
    count = sum(1 for _ in folder.rglob("*.nbi"))
    if not count:
        detail = f"none in {folder}: the first run compiles for a while, or `make setup` does"
        return Finding("compiled code", State.REMARK, detail)
    return Finding("compiled code", State.GOOD, f"{count} functions in {folder}")


def _folders() -> Finding:
    from stratvector.cli.logs import FOLDER, RESULTS

    for folder in (RESULTS, FOLDER):
        place = folder if folder.exists() else Path()
        if not os.access(place, os.W_OK):
            return Finding("folders", State.BAD, f"{place.absolute()} cannot be written")
    return Finding("folders", State.GOOD, f"results and logs in {Path.cwd()}")


def _database() -> Finding:
    place = Path("results") if Path("results").exists() else Path()
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
        connection = sqlite3.connect(Path(folder) / "ledger.db")
        with closing(connection), connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE entries (close_time INTEGER)")
            connection.execute("INSERT INTO entries VALUES (1)")
    return Finding("database", State.GOOD, f"SQLite {sqlite3.sqlite_version} writes in {place}/")


def _small_backtest() -> Finding:
    first, second = _traded_swings(), _traded_swings()
    if not len(first.fills):
        return Finding("small backtest", State.BAD, "it traded nothing")
    if not (first.fills.equals(second.fills) and first.equity.equals(second.equity)):
        return Finding("small backtest", State.BAD, "a second run gave another result")
    detail = f"{len(first.fills)} fills, final equity {first.final_equity:,.2f}, twice the same"
    return Finding("small backtest", State.GOOD, detail)


def _traded_swings() -> "Result":
    """A backtest that needs no data: two made-up symbols that swing in different rhythms, traded by
    two moving averages.
    """
    import numpy as np

    from stratvector.backtest import Backtest
    from stratvector.strategies import MomentumStrategy
    from stratvector.trading.bars import Bars

    times = (np.arange(CLOSES, dtype=np.int64) + 18_000) * DAY_NS
    phase = np.outer(np.arange(CLOSES), (1 / 9, 1 / 14))
    close = 100.0 + 10.0 * np.sin(phase)
    opened = np.vstack([close[:1], close[:-1]])
    bars = Bars(
        ("SLOW", "SLOWER"),
        times,
        opened,
        np.maximum(opened, close),
        np.minimum(opened, close),
        close,
        np.full(close.shape, 1e6),
    )
    return Backtest(bars, MomentumStrategy(short_window=5, long_window=20)).run()
