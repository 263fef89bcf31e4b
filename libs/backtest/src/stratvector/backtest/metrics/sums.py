"""Sums of many numbers with one rounding."""

import numpy as np

from stratvector.backtest.metrics.arrays import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def add_all(values: Floats, total: Floats) -> None:
    """total : float64[2], out, the sum of values (float64[n]) as a float64 and what it lacks.

    Source: Ogita, Rump & Oishi (2005), Accurate sum and dot product, algorithm 4.1.
    """
    high, low = 0.0, 0.0
    for value in values:
        together = high + value
        back = together - high
        low += (high - (together - back)) + (value - back)
        high = together
    total[0], total[1] = high, low


def exact_sum(values: Floats) -> float:
    """The sum of values (n,), as if it were computed in twice the precision; 0 of nothing.

    NaN when a value is NaN or infinite.
    """
    total = np.zeros(2)
    add_all(np.ascontiguousarray(values), total)
    return float(total[0] + total[1])
