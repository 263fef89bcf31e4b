"""A folder with a small configuration and generated prices, to be edited and read or run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

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
class ConfigFolder:
    """A test's folder with configuration and prices in it."""

    folder: Path

    @property
    def config(self) -> Path:
        """Where the YAML files lie."""
        return self.folder / "config"

    def change(self, name: str, old: str, new: str) -> None:
        """Edit a file of the configuration."""
        path = self.config / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


def write_configuration(folder: Path) -> None:
    """The YAML files and the prices that they name; paths in them start at `folder`."""
    (folder / "config").mkdir()
    for name, text in FILES.items():
        (folder / "config" / name).write_text(text)
    prices().write_csv(folder / "prices.csv")


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
