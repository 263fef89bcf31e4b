"""Growth, risk and drawdown of many equity curves at once: what `metrics` gives for each, to the
bit.

Sums are in numpy's order (pairwise in blocks of 128, eight at a time), so that a column of a sweep
says what its run alone says.
"""

import numba
import numpy as np
from numba import prange

from stratvector.backtest.metrics.arrays import Floats, Times
from stratvector.backtest.metrics.undefined import ROUNDING
from stratvector.trading.engine.compiling import engine_jit

FINAL, DRAWDOWN, MEAN_EXCESS, EXCESS_DEVIATION, DEVIATION = 0, 1, 2, 3, 4
FIGURES = 5
BLOCK = 128
DEPTH_MAX = 64  # of halves: more than any array has
FIRST, COUNT, IS_SUMMED = 0, 1, 2


@engine_jit
def block_sum(values: Floats, first: int, count: int) -> float:
    """The sum of at most BLOCK values, in numpy's order."""
    if count < 8:
        few: float = 0.0
        for n in range(first, first + count):
            few += values[n]
        return few
    a, b, c, d = values[first], values[first + 1], values[first + 2], values[first + 3]
    e, f, g, h = values[first + 4], values[first + 5], values[first + 6], values[first + 7]
    whole = count - count % 8
    for n in range(first + 8, first + whole, 8):
        a += values[n]
        b += values[n + 1]
        c += values[n + 2]
        d += values[n + 3]
        e += values[n + 4]
        f += values[n + 5]
        g += values[n + 6]
        h += values[n + 7]
    total: float = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for n in range(first + whole, first + count):
        total += values[n]
    return total


@engine_jit
def pairwise_sum(values: Floats, parts: Times, sums: Floats) -> float:
    """The sum of values as np.sum adds them: halves of whole eights down to blocks.

    parts : int64[DEPTH_MAX, 3] and sums : float64[DEPTH_MAX], scratch.
    """
    parts[0, FIRST], parts[0, COUNT], parts[0, IS_SUMMED] = 0, len(values), 0
    depth, known = 1, 0
    while depth > 0:
        depth -= 1
        first, count = parts[depth, FIRST], parts[depth, COUNT]
        if parts[depth, IS_SUMMED] == 1:
            known -= 1
            sums[known - 1] += sums[known]
        elif count <= BLOCK:
            sums[known] = block_sum(values, first, count)
            known += 1
        else:
            half = count // 2
            half -= half % 8
            parts[depth, IS_SUMMED] = 1
            parts[depth + 1, FIRST], parts[depth + 1, COUNT] = first + half, count - half
            parts[depth + 2, FIRST], parts[depth + 2, COUNT] = first, half
            parts[depth + 1, IS_SUMMED], parts[depth + 2, IS_SUMMED] = 0, 0
            depth += 3
    total: float = sums[0]
    return total


@engine_jit
def deviation_of(values: Floats, mean: float, squares: Floats, parts: Times, sums: Floats) -> float:
    """`metrics.undefined.deviation`: the sample standard deviation, 0 where it is rounding."""
    largest = 0.0
    for n in range(len(values)):
        distance = values[n] - mean
        squares[n] = distance * distance
        largest = max(largest, abs(values[n]))
    spread = np.sqrt(pairwise_sum(squares, parts, sums) / (len(values) - 1))
    noise: float = ROUNDING * (1.0 + largest)
    return 0.0 if spread <= noise else spread


@engine_jit
def deepest(equity: Floats) -> float:
    """`metrics.drawdowns.max_drawdown`."""
    peak, depth = equity[0], 0.0
    for t in range(len(equity)):
        peak = max(peak, equity[t])
        depth = min(depth, equity[t] / peak - 1.0)
    return depth


@numba.njit(cache=True, error_model="numpy", parallel=True)
def fold_columns(equity: Floats, rows: Times, rate: float, figures: Floats) -> None:
    """Figures (float64[columns, FIGURES], out) of equity curves (float64[columns, T], finite).

    rows : int64[D], those whose equity is the day's. rate : risk-free, of one day.
    """
    days = len(rows) - 1
    for column in prange(equity.shape[0]):
        curve = equity[column]
        figures[column, FINAL] = curve[-1]
        figures[column, DRAWDOWN] = deepest(curve)
        returns, squares = np.empty(max(days, 0)), np.empty(max(days, 0))
        parts, sums = np.empty((DEPTH_MAX, 3), np.int64), np.empty(DEPTH_MAX)
        for day in range(days):
            before = curve[rows[day]]
            returns[day] = curve[rows[day + 1]] / before - 1.0 if before > 0.0 else np.nan
        figures[column, MEAN_EXCESS] = np.nan
        figures[column, EXCESS_DEVIATION] = figures[column, DEVIATION] = np.nan
        if days < 2:
            continue
        mean = pairwise_sum(returns, parts, sums) / days
        figures[column, DEVIATION] = deviation_of(returns, mean, squares, parts, sums)
        for day in range(days):
            returns[day] -= rate
        mean = pairwise_sum(returns, parts, sums) / days
        figures[column, MEAN_EXCESS] = mean
        figures[column, EXCESS_DEVIATION] = deviation_of(returns, mean, squares, parts, sums)
