"""`python -m benchmarks.backtest_rows CASE PANEL SHORT LONG REPEATS`: one case of ours, in a
process of its own, through the public API: metrics and frames of fills and equity included.
"""

import sys
from collections.abc import Callable

import numpy as np

from benchmarks.peers.measuring import Panel, measured, panel_of
from stratvector.backtest import Backtest, Bars, Costs, RiskLimits
from stratvector.strategies import Context, EventStrategy, MomentumStrategy, Strategy

COSTS = Costs(commission=0.001, slippage=0.0005)
LIMITS = RiskLimits(
    gross=1.0,
    symbol=1.0,
    daily_loss=0.5,
    drawdown_trigger=0.9,
    drawdown_halt=0.95,
    rebalance_band=0.5,
)
PAIRS = {"short_window": range(5, 51), "long_window": range(20, 251, 2)}


class Cross(EventStrategy):
    """Long while the short average is above the long one, decided bar by bar in Python."""

    short_window: int = 10
    long_window: int = 30
    history = "long_window"

    def on_bar(self, context: Context) -> None:
        """One look at every symbol."""
        fast = context.indicators.sma(self.short_window)
        slow = context.indicators.sma(self.long_window)
        for symbol in context.symbols:
            if fast[symbol] > slow[symbol]:
                context.buy(symbol)
            else:
                context.sell(symbol)


def bars_of(panel: Panel) -> Bars:
    """The bars of a panel."""
    columns = (panel[name] for name in ("open", "high", "low", "close", "volume"))
    symbols = tuple(f"S{number:03d}" for number in range(panel["close"].shape[1]))
    return Bars(symbols, panel["times"].astype(np.int64), *columns)


def whole(bars: Bars, strategy: Strategy) -> Callable[[], float]:
    """A run with its metrics, equity and fills."""

    def run() -> float:
        result = Backtest(bars, strategy, costs=COSTS, limits=LIMITS).run()
        _ = result.metrics, result.equity, result.fills
        return result.final_equity

    return run


def sweep(bars: Bars) -> Callable[[], float]:
    """All pairs."""

    def run() -> float:
        backtest = Backtest(bars, MomentumStrategy(), costs=COSTS, limits=LIMITS)
        table = backtest.sweep(PAIRS, where=lambda p: p.short_window < p.long_window)
        return float(len(table))

    return run


def main(case: str, path: str, short: int, long: int, repeats: int) -> None:
    """Measure a case."""
    bars = bars_of(panel_of(path))
    windows = {"short_window": short, "long_window": long}
    runs: dict[str, Callable[[], Callable[[], float]]] = {
        "run": lambda: whole(bars, MomentumStrategy(**windows)),
        "on_bar": lambda: whole(bars, Cross(**windows)),
        "sweep": lambda: sweep(bars),
    }
    measured(runs[case](), repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(int(each) for each in sys.argv[3:6]))
