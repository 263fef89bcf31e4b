"""Wilder's relative strength index (New Concepts in Technical Trading Systems, 1978).

Wilder's smoothing remembers every change since the series began. Here it begins anew in each row,
at the oldest of 10 x period + 1 closes, with the plain average of the first `period` changes as its
seed. What is cut off would weigh (1 - 1/period)^(9 x period), less than 0.00013.
"""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit

WINDOW_PERIODS = 10


def relative_strength_window(period: int) -> int:
    """Closes that one row of the index needs."""
    return WINDOW_PERIODS * period + 1


@engine_jit
def _smoothed_index(values: Floats, t: int, s: int, window: int, period: int) -> float:
    gain = 0.0
    loss = 0.0
    changes = 0
    before = np.nan
    for lag in range(window - 1, -1, -1):
        value = values[t - lag, s]
        if value != value:
            continue
        if before == before:
            rise = max(value - before, 0.0)
            fall = max(before - value, 0.0)
            changes += 1
            if changes <= period:
                gain += rise / period
                loss += fall / period
            else:
                gain += (rise - gain) / period
                loss += (fall - loss) / period
        before = value
    if gain + loss == 0.0:
        return 50.0
    return 100.0 * gain / (gain + loss)


@engine_jit
def relative_strength(
    values: Floats, usable: Floats, window: int, period: int, index: Floats
) -> None:
    """index = 100 x average gain / (average gain + average loss); 50 where no close moved.

    Changes are between neighbours among the closes that are present. NaN where the window is not
    usable.
    """
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            if usable[t, s] > 0.0 and period > 0:
                index[t, s] = _smoothed_index(values, t, s, window, period)
            else:
                index[t, s] = np.nan
