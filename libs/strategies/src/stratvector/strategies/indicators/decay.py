"""Exponentially decaying sums of a window, by doubling.

The sum over 2n values is that over the newest n plus decay^n times that over the n before them.
So log2(window) passes give every row's sum, and a window that is no power of two is put together
from those that are. The tree of additions hangs from the row that it is for: it has the same shape
in each row, wherever the array begins, so a window alone gives the bits of the full history. A
prefix sum, or blocks cut at fixed rows, would not. A missing value weighs nothing and lets nothing
decay. Both kernels give the same bits where there is no gap.
"""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def _double(
    sums: Floats, factors: Floats, offset: int, length: int, doubled: Floats, squared: Floats
) -> None:
    for i in range(min(offset, length)):
        doubled[i] = sums[i]
        squared[i] = factors[i]
    for i in range(offset, length):
        doubled[i] = sums[i] + factors[i] * sums[i - offset]
        squared[i] = factors[i] * factors[i - offset]


@engine_jit
def _append(sums: Floats, factors: Floats, first: int, into: Floats, left: Floats) -> None:
    """Put the sums that end at `first` on behind those of `into`."""
    for i in range(max(0, -first), into.shape[0]):
        into[i] += left[i] * sums[first + i]
        left[i] *= factors[first + i]


@engine_jit
def decayed_sums(
    filled: Floats,
    present: Floats,
    decay: float,
    window: int,
    rows: int,
    symbols: int,
    scratch: Floats,
    sums: Floats,
    left: Floats,
) -> None:
    """sums = sum of decay^(present values since) x value; left = decay^(present values).

    scratch : 4 x (rows + window) symbols. Rows go in blocks, each with the window before it.
    """
    values, there = filled.reshape(-1), present.reshape(-1)
    flat, flat_left = sums.reshape(-1), left.reshape(-1)
    for start in range(0, values.shape[0], rows * symbols):
        stop = min(start + rows * symbols, values.shape[0])
        begin = max(0, start - (window - 1) * symbols)
        into, remaining = flat[start:stop], flat_left[start:stop]
        for i in range(stop - start):
            into[i] = 0.0
            remaining[i] = 1.0
        for i in range(stop - begin):
            scratch[0, i] = values[begin + i]
            scratch[1, i] = decay if there[begin + i] > 0.0 else 1.0
        span, covered, side = 1, 0, 0
        while covered < window:
            if (window // span) % 2 == 1:
                first = start - begin - covered * symbols
                _append(scratch[side], scratch[side + 1], first, into, remaining)
                covered += span
            if covered < window:
                other = 2 - side
                _double(
                    scratch[side],
                    scratch[side + 1],
                    span * symbols,
                    stop - begin,
                    scratch[other],
                    scratch[other + 1],
                )
                side = other
                span *= 2


@engine_jit
def decayed_sums_without_gaps(
    filled: Floats,
    present: Floats,
    decay: float,
    window: int,
    rows: int,
    symbols: int,
    scratch: Floats,
    sums: Floats,
    left: Floats,
) -> None:
    """The same where no value is missing: a factor is one number."""
    values, flat = filled.reshape(-1), sums.reshape(-1)
    kept = 1.0
    for start in range(0, values.shape[0], rows * symbols):
        stop = min(start + rows * symbols, values.shape[0])
        begin = max(0, start - (window - 1) * symbols)
        into = flat[start:stop]
        for i in range(stop - begin):
            scratch[0, i] = values[begin + i]
        into[:] = 0.0
        span, covered, side = 1, 0, 0
        factor, kept = decay, 1.0
        while covered < window:
            now, doubled = scratch[side], scratch[1 - side]
            if (window // span) % 2 == 1:
                first = start - begin - covered * symbols
                for i in range(max(0, -first), into.shape[0]):
                    into[i] += kept * now[first + i]
                kept *= factor
                covered += span
            if covered < window:
                offset = span * symbols
                for i in range(min(offset, stop - begin)):
                    doubled[i] = now[i]
                for i in range(offset, stop - begin):
                    doubled[i] = now[i] + factor * now[i - offset]
                side = 1 - side
                factor *= factor
                span *= 2
    left[:] = kept


@engine_jit
def decayed_mean(sums: Floats, left: Floats, usable: Floats, decay: float, mean: Floats) -> None:
    """mean = sum / sum of the weights, which is (1 - left) / (1 - decay)."""
    for t in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            mean[t, s] = np.nan
            if usable[t, s] > 0.0 and left[t, s] < 1.0:
                mean[t, s] = sums[t, s] * (1.0 - decay) / (1.0 - left[t, s])
