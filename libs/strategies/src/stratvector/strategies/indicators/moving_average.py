"""Moving average of the closes present in a window, and what is measured by it: their standard
deviation (population: divided by their count), Bollinger bands and z-scores.
"""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def moving_average(sums: Floats, counts: Floats, usable: Floats, average: Floats) -> None:
    """average = sum / count; NaN where the window is not usable."""
    for t in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            if usable[t, s] > 0.0 and counts[t, s] > 0.0:
                average[t, s] = sums[t, s] / counts[t, s]
            else:
                average[t, s] = np.nan


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


@engine_jit
def bollinger_band(average: Floats, deviation: Floats, width: float, band: Floats) -> None:
    """band = average + width x deviation, a lower band if width < 0; NaN where the average is.

    Source: Bollinger, Bollinger on Bollinger Bands, 2001.
    """
    for t in range(average.shape[0]):
        for s in range(average.shape[1]):
            band[t, s] = average[t, s] + width * deviation[t, s]


@engine_jit
def z_score(values: Floats, average: Floats, deviation: Floats, score: Floats) -> None:
    """score = (value - average) / deviation; 0 if all closes are equal, NaN where average is."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            distance = values[t, s] - average[t, s]
            if deviation[t, s] == 0.0:
                score[t, s] = 0.0
            else:
                score[t, s] = distance / deviation[t, s]
