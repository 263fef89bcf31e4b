"""A portfolio of `stratvector up` whose models, symbols and universes come and go while it runs, or
which is stopped: the command ends by itself, and its results tell all that there ever was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
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
ONE_ACCOUNT = ", account: simulated, backtest_initial_nav: 50000.00}"
TWO_ACCOUNTS = """}
accounts:
  broker: {initial_cash: 30000.00, universes: [stocks]}
  exchange: {initial_cash: 20000.00, universes: [coins]}"""

BAR = pl.int_range(pl.len()).over("symbol")
RISES = 10.0 * 1.005**BAR  # a trend model holds it at any time
DIPS = 20.0 * 1.001**BAR - 2.0 * (BAR % 7 == 6)  # one bar in seven; mean reversion buys it


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


@pytest.mark.long
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


@pytest.mark.slow
def test_up_sells_a_universe_that_is_removed_and_trades_the_one_that_comes(place: Place) -> None:
    """At an account of two, whose only universe becomes another one."""
    place.change("universes.yaml", "symbols: [AAA, BBB]", "symbols: [AAA]")
    place.change("system.yaml", ONE_ACCOUNT, TWO_ACCOUNTS)
    prices_are(place, AAA=RISES, BBB=DIPS)
    with running(place) as up:
        until_trading(up.access, up.key, "2020-02-05")  # when the stock is held
        another_universe(place)
        differs = place.run(*up.applying, "--diff")
        assert differs.exit_code == 0, differs.stderr
        models_and_universes = assert_told_in_words(differs.stdout)
        held = place.run(*up.applying)
        assert held.exit_code == 0, held.stderr
        assert held.stdout.endswith("AAA: sold first.\n"), held.stdout
        until_history_says("universe stocks: removed", place, up)
        told = place.run("portfolios", "history", up.key, *up.access).stdout.splitlines()
        *models, removed, added = models_and_universes
        sold = "symbol AAA of universe stocks: wanted no more, sold until it is flat"
        in_words = [line.strip() for line in told if line.startswith("  ")]
        in_words = [line for line in in_words if not line.startswith("caveats[")]
        assert in_words == [sold, *models, added, removed]
        until_trading(up.access, up.key, after_two_weeks(up))
        stopped = place.run("portfolios", "stop", up.key, *up.access)
        assert stopped.exit_code == 0, stopped.stderr
        up.ended()
    results = json.loads(Path("up.json").read_text())["results"]
    assert_one_follows_the_other(pl.read_parquet(Path(results) / "orders.parquet"))
    parity = place.run("parity", results, "--json", "parity.json")
    assert parity.exit_code == 0, parity.stderr
    chapters = json.loads(Path("parity.json").read_text())["chapters"]
    assert [one["chapter"] for one in chapters] == [1, 2, 3]
    assert all(one["closes"] and one["equal"] and one["proven"] for one in chapters)


def assert_told_in_words(said: str) -> list[str]:
    """What `apply --diff` says, a line for all that belongs together."""
    told = [line for line in said.splitlines() if not line.startswith("caveats[")]  # of the dips
    assert [told[0], *told[2:]] == [
        f"model {REMOVED}: removed",
        "universe stocks: removed",
        "universe funds: added",
    ]
    assert told[1].startswith(f"model {ADDED}: added, IndexMeanReversionModel 1.0.0 (")
    assert told[1].endswith("), budget 30 % of universe funds")
    return told


def assert_one_follows_the_other(orders: pl.DataFrame) -> None:
    """All of the stock is sold, and the fund is bought from then on."""
    filled = orders.sort("decided_at").filter(pl.col("filled_lots") != 0)
    stock, fund = (filled.filter(pl.col("symbol") == symbol) for symbol in ("AAA", "BBB"))
    assert len(fund)
    assert stock["side"].to_list()[-1] == "sell"
    assert sum(stock["filled_lots"].to_list()) == 0
    assert fund["decided_at"].to_list()[0] >= stock["decided_at"].to_list()[-1]


def prices_are(place: Place, **wanted: pl.Expr) -> None:
    """Other prices of some symbols, by the bar's number."""
    path = place.folder / "prices.csv"
    prices = pl.read_csv(path)
    for symbol, price in wanted.items():
        prices = prices.with_columns(
            pl.when(pl.col("symbol") == symbol).then(price).otherwise(pl.col(name)).alias(name)
            for name in ("open", "high", "low", "close")
        )
    prices.write_csv(path)


def after_two_weeks(up: Up) -> str:
    """Of closes, whatever time they take: the fund has dipped by then, and was bought."""
    listed = up.place.run("portfolios", "list", *up.access, "--json")
    (row,) = [one for one in json.loads(listed.stdout)["portfolios"] if one["key"] == up.key]
    return str((datetime.fromisoformat(row["last_close"]) + timedelta(days=16)).date())


def another_universe(place: Place) -> None:
    """Funds take the place of stocks, and a model over them that of the stocks'."""
    replace_a_model(place, "universe: funds", "asset_classes: [equity]")
    place.change("universes.yaml", "  stocks:\n    symbols: [AAA]", "  funds:\n    symbols: [BBB]")
    place.change("system.yaml", "universes: [stocks]", "universes: [funds]")


def until_history_says(what: str, place: Place, up: Up) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while what not in (said := place.run("portfolios", "history", up.key, *up.access)).stdout:
        assert time.monotonic() < deadline, said.stdout + said.stderr
        time.sleep(0.2)


def replace_a_model(
    place: Place, universe: str = "universe: coins", classes: str = "asset_classes: [crypto]"
) -> None:
    path = place.config / "system.yaml"
    lines = path.read_text().splitlines()
    entry = f'  - {{name: {ADDED}, version: "1.0.0", status: research, budget_fraction: 0.3}}'
    kept = [line for line in lines if REMOVED not in line]
    place_of_last = next(n for n, line in enumerate(kept) if "CryptoMomentumModel_v1" in line)
    kept.insert(place_of_last + 1, entry)
    path.write_text("\n".join(kept) + "\n")
    models = place.config / "models.yaml"
    models.write_text(models.read_text() + f"  {ADDED}:\n    {universe}\n    {classes}\n")


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


def until_trading(access: list[str], key: str, after: str = "") -> None:
    """Wait until a close is decided, one after a time where it is told."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        listed = CliRunner().invoke(app, ["portfolios", "list", *access, "--json"])
        rows = json.loads(listed.stdout)["portfolios"] if listed.exit_code == 0 else []
        if any(row["key"] == key and (row["last_close"] or "") > after for row in rows):
            return
        assert time.monotonic() < deadline, listed.stderr
        time.sleep(0.2)
