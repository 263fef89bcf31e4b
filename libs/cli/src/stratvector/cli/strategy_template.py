"""What `stratvector new strategy NAME` writes: a strategy, its test, and its configuration."""

import keyword
import re
from pathlib import Path

from stratvector.cli.failures import CommandFailed

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")

FUNCTION = '''"""{name}: long what closes above its average of the last `window` closes."""

from stratvector.strategies import strategy


@strategy(history="window")
def {name}(bars, window=20):
    """Equal weights where the close is above its moving average, else nothing."""
    average = bars.indicators.sma(window)
    return (bars.close > average) / len(bars.symbols)
'''

CLASS = '''"""{name}: long what closes above its average of the last `window` closes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies import Indicators, IndicatorStrategy


@dataclass(frozen=True)
class {kind}(IndicatorStrategy):
    """Equal weights where the close is above its moving average, else nothing."""

    name: ClassVar[str] = "{name}"
    window: int = 20

    @property
    def history(self) -> int:
        """Closes that one row needs."""
        return self.window

    def rows(self, indicators: Indicators) -> tuple[np.ndarray, ...]:
        """Feature 0 is the weight; NaN where the bar is missing."""
        close = indicators.bars.close
        above = close > indicators.sma(self.window)
        return (np.where(np.isnan(close), np.nan, above / close.shape[1]),)
'''

TEST = '''"""{name} keeps what every strategy must, and trades."""

from pathlib import Path

from stratvector.backtest import Backtest
from stratvector.strategies import certify, find_strategy
from stratvector.strategies.trial_bars import trial_bars

{kind} = find_strategy("{name}.py", Path(__file__).parent)


def test_{name}_neither_looks_ahead_nor_remembers_more_than_its_history() -> None:
    certificate = certify({kind}())
    assert certificate.holds, str(certificate)


def test_{name}_trades_and_keeps_its_account() -> None:
    result = Backtest(trial_bars(300, seed=7), {kind}(window=10)).run()
    assert len(result.fills) > 0
    assert result.equity["equity"].is_finite().all()
'''

CONFIG = """# {name} over two coins: stratvector backtest run --config {name}.yaml

system:
  mode: backtest
  portfolio: {portfolio}
  backtest_initial_nav: 100000.00  # USD

session:
  start: 2018-01-01
  end: 2018-12-31

models:
  - name: {name}
    strategy: {name}.py:{kind}  # beside this file
    universe: coins
    budget_fraction: 1.0  # of equity
    parameters:
      window: 20

universes:
  coins:
    symbols: [BTC-USD, ETH-USD]
    asset_class: crypto
    timeframe: 1D
    calendar: 24/7
    source: sample  # or a CSV or Parquet file with your own bars
    price_precision: 2
    lot_size: 0.0001

risk:
  max_leverage: 1.0
  rebalance_band: 0.02  # smallest change that is traded

costs:
  commission: 0.001
  slippage: 0.0005
"""


def write_strategy(name: str, folder: Path) -> tuple[Path, ...]:
    """Write NAME.py, test_NAME.py and NAME.yaml. Raises CommandFailed, and overwrites nothing."""
    _check_name(name)
    source, kind = _source(name)
    parts = {"name": name, "kind": kind, "portfolio": name.replace("_", "-")}
    texts = {
        f"{name}.py": source.format(**parts),
        f"test_{name}.py": TEST.format(**parts),
        f"{name}.yaml": CONFIG.format(**parts),
    }
    for file in texts:
        if (folder / file).exists():
            raise CommandFailed(f"{folder / file} is there already, and nothing overwrites it")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        with (folder / file).open("x", encoding="utf-8") as opened:
            opened.write(text)
    return tuple(folder / file for file in texts)


def _check_name(name: str) -> None:
    from stratvector.strategies import MODELS

    def refused(rule: str) -> CommandFailed:
        return CommandFailed(f"NAME is {name!r}; {rule}")

    if not NAME.fullmatch(name):
        raise refused("it must be lower case letters, digits and _, such as above_average")
    if keyword.iskeyword(name) or name in ("strategy", "test", "bars", "window"):
        raise refused("that word means something else in the file; take another one")
    if name in MODELS:
        raise refused("a registered model is called so; take another one")


def _source(name: str) -> tuple[str, str]:
    """The template of a strategy, and what the file calls it."""
    import stratvector.strategies as room

    if hasattr(room, "strategy"):
        return FUNCTION, name
    return CLASS, "".join(part.capitalize() for part in name.split("_"))
