"""The few numeric primitives that everything else is written in."""

import numpy as np

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import PRICE_UNITS, Floats

# Prices and equity above it are refused; a plain comparison costs a third of a test for infinity.
FINITE_MAX = 1e300
LOTS_MAX = 9007199254740992.0  # 2^53: the largest range in which a float64 holds every whole number
HALF_WIDTH = 8.881784197001252e-16  # 2^-50: four to eight units in the last place of what it scales
HALF_WIDTH_MAX = 0.25  # a number of 15 digits that is on the grid stays where it is


@engine_jit
def round_to_grid(value: float, units: float) -> float:
    """`value` rounded half-even to a multiple of 1/units; NaN stays NaN.

    Half means the decimal price: 31.5 x 1.0005 is 31.51575, whose float64 lies a little below, so a
    product within four units in the last place of a half is one. For units = 10^k the result is the
    float64 nearest to the decimal, so that float(Decimal) gives its bits back.
    """
    scaled = value * units
    lower: float = np.floor(scaled)
    over_half = scaled - lower - 0.5
    width = min(abs(scaled) * HALF_WIDTH, HALF_WIDTH_MAX)
    # Whether a number is rounded up is a coin's throw, so it is selected, not branched on; 0.0 is
    # taken away, not added, as -0.0 stays what it is.
    below = -1.0 if over_half > width else 0.0
    if abs(over_half) <= width and lower - 2.0 * np.floor(lower / 2.0) == 1.0:
        below = -1.0
    lower -= below
    return lower / units


@engine_jit
def round_columns(values: Floats, grid: Floats) -> None:
    """Prices (float64[T, S]) onto the grids of their symbols (Rules.grid), in place; NaN stays
    NaN.
    """
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            values[t, s] = round_to_grid(values[t, s], grid[s, PRICE_UNITS])


@engine_jit
def whole(value: float) -> int:
    """`value` (finite, below 2^53 in size) rounded toward zero, as int64."""
    return int(value)
