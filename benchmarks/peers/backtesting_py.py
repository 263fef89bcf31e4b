"""backtesting.py: one symbol after the other, as it has no portfolio."""

import sys

import pandas as pd
from backtesting import Backtest, Strategy  # type: ignore[import-not-found]
from backtesting.lib import crossover  # type: ignore[import-not-found]
from measuring import measured, panel_of  # type: ignore[import-not-found]

COLUMNS = ("open", "high", "low", "close", "volume")


def average(values, window):  # type: ignore[no-untyped-def]
    """A simple moving average."""
    return pd.Series(values).rolling(window).mean()


class Cross(Strategy):  # type: ignore[misc]
    """Long while the short average is above the long one."""

    short, long = 10, 30

    def init(self) -> None:
        """Both averages."""
        self.fast = self.I(average, self.data.Close, self.short)
        self.slow = self.I(average, self.data.Close, self.long)

    def next(self) -> None:
        """Enter and leave at crosses."""
        if crossover(self.fast, self.slow):
            self.buy(size=0.999)
        elif crossover(self.slow, self.fast):
            self.position.close()


def main(path: str, short: int, long: int, repeats: int) -> None:
    """Every symbol alone."""
    panel = panel_of(path)
    index = pd.to_datetime(panel["times"])
    frames = [
        pd.DataFrame(
            {
                name.title(): panel[name][:, s]
                for name in ("open", "high", "low", "close", "volume")
            },
            index=index,
        )
        for s in range(panel["close"].shape[1])
    ]

    def run() -> float:
        results = [
            Backtest(frame, Cross, cash=100_000, commission=0.0015, exclusive_orders=False).run(
                short=short, long=long
            )
            for frame in frames
        ]
        return float(results[0]["Equity Final [$]"])

    measured(run, repeats)


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:5]))
