"""A folder of its own for each test: small configuration, generated prices, and the command."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from stratvector.cli import console
from stratvector.cli.main import app
from stratvector.market import calendar

SYSTEM = """
system: {mode: replay, portfolio: small, account: simulated, backtest_initial_nav: 50000.00}
session: {start: 2020-02-03, end: 2020-06-30}
models:
  - {name: EquityTrendModel_v1, version: "1.0.0", status: research, budget_fraction: 0.6}
  - {name: CryptoMomentumModel_v1, version: "1.0.0", status: research, budget_fraction: 0.4}
risk: {per_asset_cap: 0.40, rebalance_band: 0.02}
costs: {commission: 0.001, slippage: 0.0005}
"""

MODELS = """
models:
  EquityTrendModel_v1:
    universe: stocks
    asset_classes: [equity]
    parameters: {slow_ma_period: 10, momentum_lookback_days: 5, exit_ma_period: 5}
  CryptoMomentumModel_v1:
    universe: coins
    asset_classes: [crypto]
    parameters: {short_lookback: 3, long_lookback: 8, rebalance_days: 2}
"""

UNIVERSES = """
universes:
  stocks:
    symbols: [AAA, BBB]
    asset_class: equity
    timeframe: 1D
    calendar: XNYS
    source: prices.csv
    price_precision: 4
  coins:
    symbols: [CCC-USD]
    asset_class: crypto
    timeframe: 1D
    calendar: 24/7
    source: prices.csv
    assets: {CCC-USD: CCC}
    lot_size: 0.0001
"""

FILES = {"system.yaml": SYSTEM, "models.yaml": MODELS, "universes.yaml": UNIVERSES}
FIRST, LAST = 1_577_836_800 * 10**9, 1_593_561_600 * 10**9  # 2020-01-01 .. 2020-07-01


@dataclass(frozen=True)
class Place:
    """A test's folder; commands run inside it."""

    folder: Path

    @property
    def config(self) -> Path:
        """Where the YAML files lie."""
        return self.folder / "config"

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

    def change(self, name: str, old: str, new: str) -> None:
        """Edit a file of the configuration."""
        path = self.config / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

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
    (tmp_path / "config").mkdir()
    for name, text in FILES.items():
        (tmp_path / "config" / name).write_text(text)
    prices().write_csv(tmp_path / "prices.csv")
    return Place(tmp_path)


def prices() -> pl.DataFrame:
    """Two stocks and a coin that swing, daily, half a year."""
    frames = []
    for number, (symbol, exchange) in enumerate(
        (("AAA", "XNYS"), ("BBB", "XNYS"), ("CCC-USD", "24/7"))
    ):
        closes = calendar(exchange).closes(FIRST, LAST, "1D")
        days = np.arange(len(closes))
        close = (20.0 * (number + 1)) * (1.0 + 0.2 * np.sin(days / (6.0 + 3 * number)))
        opened = np.concatenate([close[:1], close[:-1]])
        frames.append(
            pl.DataFrame(
                {
                    "timestamp": closes,
                    "symbol": [symbol] * len(closes),
                    "open": opened,
                    "high": np.maximum(opened, close) * 1.01,
                    "low": np.minimum(opened, close) * 0.99,
                    "close": close,
                    "volume": np.full(len(closes), 1e6),
                }
            )
        )
    return pl.concat(frames)
