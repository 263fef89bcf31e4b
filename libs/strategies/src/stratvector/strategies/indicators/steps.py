"""Steps: what happens from one present bar to the next present one.

A step stands in the row after the one where it begins, which is the row where it ends unless bars
are missing in between. So the steps of the rows t - n + 1 to t begin and end among the last n + 1
closes wherever row t is present: a window alone has all of them. NaN where no step begins.
"""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit

LN2 = 0.6931471805599453
TERMS = 14


@engine_jit
def _log_change(before: float, after: float) -> float:
    """log(after / before) by its series 2 (z + z^3/3 + z^5/5 ...), z = (a - b) / (a + b).

    Plain arithmetic: the same bits compiled and interpreted.
    """
    if not (0.0 < before < np.inf and 0.0 < after < np.inf):
        return np.nan
    halvings = 0.0
    while after > 1.5 * before:
        after *= 0.5
        halvings += 1.0
    while before > 1.5 * after:
        before *= 0.5
        halvings -= 1.0
    z = (after - before) / (after + before)
    series = 0.0
    for term in range(TERMS, -1, -1):
        series = series * z * z + 1.0 / (2.0 * term + 1.0)
    return halvings * LN2 + 2.0 * z * series


@engine_jit
def gains_and_moves(values: Floats, gains: Floats, moves: Floats) -> None:
    """Rises, 0 where the value fell, and changes without their sign."""
    for s in range(values.shape[1]):
        after = np.nan
        for t in range(values.shape[0] - 1, -1, -1):
            if values[t, s] == values[t, s]:
                after = values[t, s]
            change = after - values[t - 1, s] if t > 0 else np.nan
            gains[t, s] = max(change, 0.0) if change == change else np.nan
            moves[t, s] = abs(change)


@engine_jit
def simple_returns(values: Floats, returns: Floats) -> None:
    """after / before - 1; NaN where before is 0."""
    for s in range(values.shape[1]):
        after = np.nan
        for t in range(values.shape[0] - 1, -1, -1):
            if values[t, s] == values[t, s]:
                after = values[t, s]
            before = values[t - 1, s] if t > 0 else np.nan
            returns[t, s] = after / before - 1.0 if before != 0.0 else np.nan


@engine_jit
def log_returns(values: Floats, returns: Floats) -> None:
    """log(after / before); NaN where one of them is not above 0."""
    for s in range(values.shape[1]):
        after = np.nan
        for t in range(values.shape[0] - 1, -1, -1):
            if values[t, s] == values[t, s]:
                after = values[t, s]
            returns[t, s] = _log_change(values[t - 1, s], after) if t > 0 else np.nan


@engine_jit
def ranges_and_moves(
    high: Floats, low: Floats, close: Floats, ranges: Floats, up: Floats, down: Floats
) -> None:
    """True ranges, and Wilder's directional moves: the larger of both, if above 0."""
    for s in range(close.shape[1]):
        ahead = -1
        for t in range(close.shape[0] - 1, -1, -1):
            if close[t, s] == close[t, s]:
                ahead = t
            ranges[t, s] = np.nan
            up[t, s] = np.nan
            down[t, s] = np.nan
            if t > 0 and ahead >= 0 and close[t - 1, s] == close[t - 1, s]:
                before = close[t - 1, s]
                ranges[t, s] = max(high[ahead, s], before) - min(low[ahead, s], before)
                rise = high[ahead, s] - high[t - 1, s]
                fall = low[t - 1, s] - low[ahead, s]
                up[t, s] = rise if rise > fall and rise > 0.0 else 0.0
                down[t, s] = fall if fall > rise and fall > 0.0 else 0.0


@engine_jit
def signed_flows(values: Floats, flow: Floats, signed: Floats, positive: Floats) -> None:
    """The flow of the step's end: with the sign of the change, and where the value rose only."""
    for s in range(values.shape[1]):
        ahead = -1
        for t in range(values.shape[0] - 1, -1, -1):
            if values[t, s] == values[t, s]:
                ahead = t
            signed[t, s] = np.nan
            positive[t, s] = np.nan
            if t > 0 and ahead >= 0 and values[t - 1, s] == values[t - 1, s]:
                change = values[ahead, s] - values[t - 1, s]
                sign = 1.0 if change > 0.0 else 0.0
                positive[t, s] = sign * flow[ahead, s]
                signed[t, s] = positive[t, s] - (flow[ahead, s] if change < 0.0 else 0.0)
