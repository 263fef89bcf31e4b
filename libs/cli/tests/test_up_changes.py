"""A portfolio of `stratvector up` that is changed and then stopped while it runs: the command ends
by itself, and its results tell every model that there ever was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from stratvector.cli.main import app
from stratvector.config import load_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libs.cli.tests.conftest import Place

COMMAND = str(Path(sys.executable).with_name("stratvector"))
PATIENCE_SECONDS = 180.0
CONFIG = "config/system.yaml"
REMOVED, ADDED = "EquityTrendModel_v1", "IndexMeanReversionModel_v1"
SETTINGS = f"""  {ADDED}:
    universe: coins
    asset_classes: [crypto]
"""


@dataclass(frozen=True)
class Up:
    """The command while it runs. access : how its bus is reached. key : of its portfolio."""

    place: Place
    process: subprocess.Popen[str]
    access: list[str]
    key: str

    @property
    def applying(self) -> list[str]:
        """The command that applies the configuration, as it is now, to this run."""
        run = self.key.split(".")[1]
        return ["apply", "-f", CONFIG, "--run", run, *self.access]

    def takes_up_the_change(self) -> None:
        held = self.place.run(*self.applying)
        assert held.exit_code == 0, held.stderr
        assert "it holds as chapter 2, from the close after" in held.stdout

    def ended(self) -> str:
        """What it said, once it has ended by itself."""
        _, said = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0, said
        return said


@contextmanager
def running(place: Place) -> Iterator[Up]:
    """`up --once`, from its first closes on."""
    key = f"{load_session(CONFIG).portfolio.run}.small"
    command = [COMMAND, "up", "--once", "--base-port", "0", "--speed", "12", "--json", "up.json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            access = access_of(place)
            until_trading(access, key)
            yield Up(place, process, access, key)
        finally:
            process.kill()


@pytest.mark.slow
def test_up_ends_with_a_stopped_portfolio_and_tells_of_all_its_models(place: Place) -> None:
    with running(place) as up:
        replace_a_model(place)
        up.takes_up_the_change()
        told = place.run("portfolios", "history", up.key, *up.access).stdout.splitlines()
        assert f"  model {REMOVED}: removed" in told
        (line,) = [one for one in told if f"model {ADDED}: added, IndexMeanReversionModel " in one]
        assert line.endswith("), budget 30 % of universe coins")
        assert not any("strategies." in one for one in told)
        time.sleep(2.0)  # for some closes of the new chapter
        stopped = place.run("portfolios", "stop", up.key, *up.access)
        assert stopped.exit_code == 0, stopped.stderr
        said = up.ended()
    assert "Ledger verified: " in said
    text = Path("up.json").read_text()
    assert "drift has not read" not in text
    document = json.loads(text)
    assert list(document["models"]) == ["CryptoMomentumModel_v1", ADDED, REMOVED]
    orders = pl.read_parquet(Path(document["results"]) / "orders.parquet")
    parts = {column for column in orders.columns if column.endswith(("_v1", "Model_v1"))}
    assert len(parts) == 3
    assert document["last_close"] < "2020-06-30"


@pytest.mark.slow
def test_up_takes_up_a_symbol_that_is_added_and_parity_is_equal_over_it(place: Place) -> None:
    """What can't be added is one sentence and changes nothing."""
    place.change("universes.yaml", "symbols: [AAA, BBB]", "symbols: [AAA]")
    with running(place) as up:
        for symbols, why in (
            ("[AAA, NONE]", "NONE"),
            ("[AAA, CCC-USD]", "'CCC-USD' is configured twice"),
            ("[BBB]", "universe stocks keeps none of its symbols AAA"),
        ):
            place.change("universes.yaml", "symbols: [AAA]", f"symbols: {symbols}")
            refused = place.run(*up.applying)
            assert refused.exit_code != 0
            assert why in refused.stderr
            assert "Traceback" not in refused.stderr
            place.change("universes.yaml", f"symbols: {symbols}", "symbols: [AAA]")
        place.change("universes.yaml", "symbols: [AAA]", "symbols: [BBB, AAA]")
        differs = place.run(*up.applying, "--diff")
        assert differs.exit_code == 0, differs.stderr
        assert "symbol BBB of universe stocks: added" in differs.stdout
        up.takes_up_the_change()
        history = place.run("portfolios", "history", up.key, *up.access)
        assert "symbol BBB of universe stocks: added" in history.stdout
        place.change("universes.yaml", "symbols: [BBB, AAA]", "symbols: [BBB]")
        sold = place.run(*up.applying)
        assert sold.exit_code == 0, sold.stderr
        assert "it holds as chapter 3, from the close after" in sold.stdout
        until_history_says("symbol AAA of universe stocks: removed", place, up)
        up.ended()
    document = json.loads(Path("up.json").read_text())
    orders = pl.read_parquet(Path(document["results"]) / "orders.parquet")
    assert "BBB" in orders["symbol"].to_list()
    parity = place.run("parity", document["results"])
    assert parity.exit_code == 0, parity.stderr
    assert "equal: " in parity.stdout


def until_history_says(what: str, place: Place, up: Up) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while what not in (said := place.run("portfolios", "history", up.key, *up.access)).stdout:
        assert time.monotonic() < deadline, said.stdout + said.stderr
        time.sleep(0.2)


def replace_a_model(place: Place) -> None:
    path = place.config / "system.yaml"
    lines = path.read_text().splitlines()
    entry = f'  - {{name: {ADDED}, version: "1.0.0", status: research, budget_fraction: 0.3}}'
    kept = [line for line in lines if REMOVED not in line]
    place_of_last = next(n for n, line in enumerate(kept) if "CryptoMomentumModel_v1" in line)
    kept.insert(place_of_last + 1, entry)
    path.write_text("\n".join(kept) + "\n")
    models = place.config / "models.yaml"
    models.write_text(models.read_text() + SETTINGS)


def access_of(place: Place) -> list[str]:
    """How the running command's bus is reached, once it has written its settings."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = list((place.folder / "results").glob("*/session/settings/risk.yaml"))
        if found and (told := yaml.safe_load(found[0].read_text())):
            seed = found[0].parents[1] / "keys" / "apply.seed"
            return ["--nats-url", told["nats_url"], "--seed-file", str(seed)]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def until_trading(access: list[str], key: str) -> None:
    """Wait until a few closes are decided."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        listed = CliRunner().invoke(app, ["portfolios", "list", *access, "--json"])
        rows = json.loads(listed.stdout)["portfolios"] if listed.exit_code == 0 else []
        if any(row["key"] == key and row["last_close"] for row in rows):
            return
        assert time.monotonic() < deadline, listed.stderr
        time.sleep(0.2)
