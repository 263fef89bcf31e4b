"""Moving average: the mean of the closes present in the window."""

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
