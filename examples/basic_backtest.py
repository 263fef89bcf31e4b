"""A backtest in five lines: read bars, take a strategy, run it, look at what it did.

Shows `load_universe` on the sample equities, `Backtest`, a result in a dozen lines and its tables.
The caveats that belong to the data are printed with the figures, as in every report.
"""

from stratvector.backtest import Backtest, Costs
from stratvector.market import load_universe
from stratvector.strategies import MomentumStrategy

SYMBOLS = ("AAPL", "AMZN", "GOOG")


def main() -> None:
    """Run it and print the result."""
    loaded = load_universe(
        "tech", SYMBOLS, "1D", "XNYS", "sample", start="2015-01-02", end="2018-12-31"
    )
    strategy = MomentumStrategy(short_window=10, long_window=30)
    costs = Costs(commission=0.001, slippage=0.0005)
    backtest = Backtest(
        loaded.bars, strategy, cash=100_000, costs=costs, open_times=loaded.open_times
    )
    result = backtest.run()

    print(result)
    print(result.fills.select("fill_time", "symbol", "side", "quantity", "price").tail(3))
    for caveat in loaded.provenance.caveats():
        print(f"note: {caveat}")


if __name__ == "__main__":
    main()
