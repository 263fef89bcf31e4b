"""Closed bars that opened, traded and closed at one price, for tests that only mark."""

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.portfolio import Universe


def flat_bars(universe: Universe, close_time: int, *closes: float) -> ClosedBars:
    """One cross-section; NaN is a missing bar."""
    column = np.array(closes)
    return ClosedBars(
        universe=universe.name,
        timeframe=universe.timeframe,
        close_time=close_time,
        symbols=universe.symbols,
        open=column,
        high=column,
        low=column,
        close=column,
        volume=column * 0.0 + 1.0,
    )
