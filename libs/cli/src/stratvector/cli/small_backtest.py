"""A backtest of two made-up symbols that needs no data: does the engine run here?"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratvector.backtest import Result

CLOSES = 300
DAY_NS = 86_400_000_000_000


def small_backtest() -> "Result":
    """Two symbols that swing in different rhythms, traded by two moving averages."""
    import numpy as np

    from stratvector.backtest import Backtest
    from stratvector.strategies import MomentumStrategy
    from stratvector.trading.bars import Bars

    times = (np.arange(CLOSES, dtype=np.int64) + 18_000) * DAY_NS
    phase = np.outer(np.arange(CLOSES), (1 / 9, 1 / 14))
    close = 100.0 + 10.0 * np.sin(phase)
    opened = np.vstack([close[:1], close[:-1]])
    bars = Bars(
        ("SLOW", "SLOWER"),
        times,
        opened,
        np.maximum(opened, close),
        np.minimum(opened, close),
        close,
        np.full(close.shape, 1e6),
    )
    return Backtest(bars, MomentumStrategy(short_window=5, long_window=20)).run()
