"""Momentum: the change of the close over a lookback, as a fraction."""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def momentum(values: Floats, usable: Floats, lookback: int, change: Floats) -> None:
    """change = value / value `lookback` closes ago - 1.

    When that close is missing, the oldest one present since then stands for it. NaN where the
    window of lookback + 1 closes is not usable or the older value is 0.
    """
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            change[t, s] = np.nan
            if usable[t, s] > 0.0:
                lag = lookback
                while values[t - lag, s] != values[t - lag, s]:
                    lag -= 1
                before = values[t - lag, s]
                if before != 0.0:
                    change[t, s] = values[t, s] / before - 1.0
