"""The few numeric primitives that everything else is written in."""

import numpy as np

from stratvector.trading.engine.compiling import engine_jit

# Prices and equity above it are refused; a plain comparison costs a third of a test for infinity.
FINITE_MAX = 1e300
LOTS_MAX = 9007199254740992.0  # 2^53: the largest range in which a float64 holds every whole number


@engine_jit
def round_to_grid(value: float, units: float) -> float:
    """`value` rounded half-even to a multiple of 1/units; NaN stays NaN.

    For units = 10^k the result is the float64 nearest to the decimal, so that float(Decimal) gives
    its bits back.
    """
    scaled = value * units
    lower: float = np.floor(scaled)
    rest = scaled - lower
    if rest > 0.5 or (rest == 0.5 and lower - 2.0 * np.floor(lower / 2.0) == 1.0):
        lower += 1.0
    return lower / units


@engine_jit
def whole(value: float) -> int:
    """`value` (finite, below 2^53 in size) rounded toward zero, as int64."""
    return int(value)
