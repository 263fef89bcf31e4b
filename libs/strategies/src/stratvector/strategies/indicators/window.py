"""Sums and counts over the last closes, the ground under every average."""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit

BLOCK = 2048  # values summed together while they stay in the nearest cache


@engine_jit
def mark_present(values: Floats, present: Floats) -> None:
    """1.0 where there is a value, 0.0 where it is missing (NaN)."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            present[t, s] = 1.0 if values[t, s] == values[t, s] else 0.0


@engine_jit
def zero_missing(values: Floats, filled: Floats) -> None:
    """The values, with 0.0 where they are missing: a sum then skips them."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            filled[t, s] = values[t, s] if values[t, s] == values[t, s] else 0.0


@engine_jit
def add_lags(values: Floats, sums: Floats, first_lag: int, stop_lag: int, symbols: int) -> None:
    """Add to `sums` the values of first_lag <= lag < stop_lag closes ago, in the order of the lags.

    values, sums : closes x symbols, flat. Newest first, so that a longer window's sum goes on from
    a shorter one's and has the bits of a sum of its own. Rows before stop_lag - 1 are left alone.
    """
    for start in range((stop_lag - 1) * symbols, values.shape[0], BLOCK):
        stop = min(start + BLOCK, values.shape[0])
        into = sums[start:stop]
        for lag in range(first_lag, stop_lag):
            lagged = values[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                into[i] += lagged[i]


@engine_jit
def count_present(present: Floats, window: int, counts: Floats) -> None:
    """How many of the last `window` values are present (whole numbers: a running sum is exact)."""
    for s in range(present.shape[1]):
        count = 0.0
        for t in range(present.shape[0]):
            count += present[t, s]
            if t >= window:
                count -= present[t - window, s]
            counts[t, s] = count


@engine_jit
def mark_usable(present: Floats, counts: Floats, window: int, warm_up: int, usable: Floats) -> None:
    """1.0 where the window is full, its newest value present and so is at least half, else 0.0.

    warm_up : first rows in which the values themselves are not full yet.
    """
    first = min(warm_up + window - 1, present.shape[0])
    usable[:first] = 0.0
    for t in range(first, present.shape[0]):
        for s in range(present.shape[1]):
            enough = present[t, s] > 0.0 and 2.0 * counts[t, s] >= window
            usable[t, s] = 1.0 if enough else 0.0


@engine_jit
def simple_average(sums: Floats, counts: Floats, usable: Floats, average: Floats) -> None:
    """average = sum / count; NaN where the window is not usable."""
    for t in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            if usable[t, s] > 0.0 and counts[t, s] > 0.0:
                average[t, s] = sums[t, s] / counts[t, s]
            else:
                average[t, s] = np.nan
