"""vectorbt: signals through `Portfolio.from_signals`; `stats` tells return, Sharpe and drawdown."""

import sys

import numpy as np
import pandas as pd
import vectorbt as vbt  # type: ignore[import-not-found]
from measuring import measured, panel_of  # type: ignore[import-not-found]


def main(path: str, short: int, long: int, repeats: int) -> None:
    """All symbols at once; short = 0 sweeps one symbol over the grid of pairs."""
    panel = panel_of(path)
    close = pd.DataFrame(panel["close"], index=pd.to_datetime(panel["times"]))
    gap = pd.Timedelta(int(np.median(np.diff(panel["times"]))), unit="ns")

    pairs = [(a, b) for a in range(5, 51) for b in range(20, 251, 2) if a < b]
    traded = close if short else close[0]

    def averages(place: int):  # type: ignore[no-untyped-def]
        windows = (short, long)[place] if short else [pair[place] for pair in pairs]
        return vbt.MA.run(traded, windows, run_unique=True).ma.to_numpy()

    def run() -> float:
        held = averages(0) > averages(1)
        ran = vbt.Portfolio.from_signals(
            traded, held, ~held, fees=0.001, slippage=0.0005, freq=gap, init_cash=100_000
        )
        told = ran.total_return(), ran.sharpe_ratio(), ran.max_drawdown()
        if short:
            _ = ran.value(), ran.orders.records_readable
        return float(np.asarray(told[0]).reshape(-1)[0])

    measured(run, repeats)


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:5]))
