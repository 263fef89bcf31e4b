"""Standard deviation of the closes present in the window (population: divided by their count)."""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def standard_deviation(
    values: Floats, average: Floats, counts: Floats, window: int, deviation: Floats
) -> None:
    """deviation = sqrt(sum of (value - average)^2 / count), newest first; NaN where average is."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            mean = average[t, s]
            if mean == mean and counts[t, s] > 0.0:
                squares = 0.0
                for lag in range(window):
                    distance = values[t - lag, s] - mean
                    if distance == distance:
                        squares += distance * distance
                deviation[t, s] = np.sqrt(squares / counts[t, s])
            else:
                deviation[t, s] = np.nan
