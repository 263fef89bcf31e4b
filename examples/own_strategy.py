"""A strategy in its compiled form: features of a bounded history, a decide, both certificates.

Shows the two halves of a strategy. `features` is pure: row t reads the last `history` closes and
nothing else. `decide` is compiled and holds the memory (here: what is held until it falls).
`certify` then proves, at every close and to the last bit, that it neither looks ahead nor remembers
more than it says; and shows how a strategy that does look ahead is found out. The two short forms
are in `ten_line_strategies.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stratvector.backtest import Backtest, RiskLimits
from stratvector.market import Bars, load_universe
from stratvector.strategies import Decide, Floats, Strategy, certify, decide_jit, register

CLOSE, HIGHEST, LOWEST = 0, 1, 2  # features


@decide_jit
def _ride_the_breakout(
    state: Floats, row: Floats, parameters: Floats, weights: Floats, confidence: Floats
) -> None:
    """Hold a symbol from a close above the highest high until one below the lowest low."""
    symbols = row.shape[0]
    for s in range(symbols):
        if row[s, CLOSE] > row[s, HIGHEST]:
            state[s] = 1.0
        elif row[s, CLOSE] < row[s, LOWEST]:
            state[s] = 0.0
        present = row[s, CLOSE] == row[s, CLOSE]
        weights[s] = state[s] / symbols if present else np.nan
        confidence[s] = 1.0 if present else 0.0


@register
@dataclass(frozen=True)
class BreakoutStrategy(Strategy):
    """Donchian's channel: in above the high of entry_window bars, out below the low of exit_window.

    Windows in bars, exit_window <= entry_window. Memory: per symbol, 1 while held.
    """

    name: ClassVar[str] = "BreakoutStrategy"
    decide: ClassVar[Decide] = staticmethod(_ride_the_breakout)

    entry_window: int = 55
    exit_window: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.exit_window <= self.entry_window:
            raise ValueError(
                f"1 <= exit_window {self.exit_window} <= entry_window {self.entry_window} must hold"
            )

    @property
    def history(self) -> int:
        """The close itself and the bars of the entry window before it."""
        return self.entry_window + 1

    def initial_state(self, symbols: int) -> Floats:
        """Nothing held."""
        return np.zeros(symbols)

    def features(self, bars: Bars) -> Floats:
        """Close, highest high and lowest low before it; NaN where the bar is missing."""
        rows = np.full((*bars.close.shape, 3), np.nan)
        first = self.history - 1
        if len(bars) > first:
            lows = bars.low[self.entry_window - self.exit_window :]
            rows[first:, :, CLOSE] = bars.close[first:]
            rows[first:, :, HIGHEST] = np.fmax.reduce(_before(bars.high, self.entry_window), -1)
            rows[first:, :, LOWEST] = np.fmin.reduce(_before(lows, self.exit_window), -1)
        rows[np.isnan(bars.close)] = np.nan
        return rows


def _before(values: Floats, window: int) -> Floats:
    """The `window` values before each row that has so many, shape (rows, symbols, window)."""
    return sliding_window_view(values[:-1], window, axis=0)


@dataclass(frozen=True)
class ClairvoyantStrategy(BreakoutStrategy):
    """The same, with tomorrow's close in place of today's."""

    name: ClassVar[str] = "ClairvoyantStrategy"

    def features(self, bars: Bars) -> Floats:
        """The close of the row after."""
        rows = super().features(bars)
        rows[:-1, :, CLOSE] = rows[1:, :, CLOSE].copy()
        return rows


def main() -> None:
    """Certify both, backtest the honest one."""
    strategy = BreakoutStrategy(entry_window=40, exit_window=20)
    certificate = certify(strategy)
    print(certificate)
    print(certify(ClairvoyantStrategy(entry_window=40, exit_window=20)))
    if not certificate.holds:
        raise SystemExit("the strategy may not be trusted with a backtest")

    loaded = load_universe(
        "coins", ("BTC-USD", "ETH-USD"), "4H", "24/7", "sample", "2017-10-02", "2019-09-30"
    )
    # No order for a change below a tenth of what a coin's target or position is worth.
    limits = RiskLimits(gross=1.0, rebalance_band=0.1)
    result = Backtest(loaded.bars, strategy, limits=limits).run()
    metrics = result.metrics
    print(f"return {metrics['total_return']:.2%}, max drawdown {metrics['max_drawdown']:.2%}")
    print(f"fills {len(result.fills)}, round trips {metrics['trades']:.0f}")


if __name__ == "__main__":
    main()
