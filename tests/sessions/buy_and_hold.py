"""The plainest strategy over a few closes written by hand, one per day."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from stratvector.trading.portfolio import Costs
from stratvector.trading.strategy import Strategy

DAY_NS = 86_400_000_000_000
MONDAY = 18_263 * DAY_NS  # 2020-01-02, a Thursday's midnight: closes the Wednesday


class BuyAndHold(Strategy):
    """The same weight in every symbol, always."""

    name = "buy_and_hold"

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """Equal weights."""
        return np.full((*bars.close.shape, 1), 1.0 / bars.close.shape[1])


def panel(close: list[list[float]], days: list[int] | None = None) -> Bars:
    values = np.array(close)
    opened = np.vstack([values[:1], values[:-1]])
    times = MONDAY + np.array(days or range(len(close)), dtype=np.int64) * DAY_NS
    return Bars(
        tuple("ABCD"[: values.shape[1]]),
        times,
        opened,
        np.maximum(opened, values),
        np.minimum(opened, values),
        values,
        np.full(values.shape, 1e6),
    )


FREE = Costs(commission=0.0, slippage=0.0)


def rows_of(bars: Bars) -> dict[str, list[object]]:
    """The long form of complete bars."""
    places = [(t, s) for t in range(len(bars)) for s in range(len(bars.symbols))]
    columns: dict[str, list[object]] = {
        "timestamp": [datetime.fromtimestamp(bars.close_times[t] / 1e9, UTC) for t, _ in places],
        "symbol": [bars.symbols[s] for _, s in places],
    }
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = [float(getattr(bars, name)[t, s]) for t, s in places]
    return columns
