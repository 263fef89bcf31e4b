"""The two short forms of a strategy: a function of arrays, and a class in events.

`above_average` gives the weights of all closes at once. `Breakout` looks at one close after the
other and remembers. Both run in the same engine as the compiled form and trade live as they are.
"""

import numpy as np

from stratvector.backtest import Backtest, RiskLimits
from stratvector.market import load_universe
from stratvector.strategies import (
    Context,
    EventStrategy,
    Floats,
    Panel,
    certify,
    per_symbol,
    strategy,
)


@strategy(history="window")
def above_average(bars: Panel, window: int = 200) -> Floats:
    """An equal part in each symbol that closes above its moving average."""
    above = bars.close > bars.indicators.sma(window)
    return np.where(above, 1.0 / len(bars.symbols), 0.0)


class Breakout(EventStrategy):
    """In above the highest high of `window` bars, out a share `trail` below the peak since."""

    window: int = 40
    trail: float = 0.1
    state = {"peak": per_symbol(0.0)}  # noqa: RUF012 -- what the class declares, never changed

    @property
    def history(self) -> int:
        """The window and the close itself."""
        return self.window + 1

    def on_bar(self, context: Context) -> None:
        """Follow each symbol."""
        highest = np.fmax.reduce(context.bars.high[:-1]).tolist()
        peak = context.state["peak"]
        for symbol, before in zip(context.symbols, highest, strict=True):
            close = context.close[symbol]
            if context.position(symbol) == 0.0 and close > before:
                context.buy(symbol)
                peak[symbol] = close
            elif close < (1.0 - self.trail) * peak[symbol]:
                context.sell(symbol)
            peak[symbol] = max(peak[symbol], close) if close == close else peak[symbol]


def main() -> None:
    """Certify one and backtest both."""
    bars = load_universe(
        "coins", ("BTC-USD", "ETH-USD"), "4H", "24/7", "sample", "2017-10-02", "2019-09-30"
    ).bars
    limits = RiskLimits(gross=1.0, rebalance_band=0.1)
    print(certify(above_average(window=100)))
    for model in (above_average(window=100), Breakout()):
        metrics = Backtest(bars, model, limits=limits).run().metrics
        print(f"{model.name}: return {metrics['total_return']:.2%}, trades {metrics['trades']:.0f}")


if __name__ == "__main__":
    main()
