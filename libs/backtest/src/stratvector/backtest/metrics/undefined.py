"""One rule for what has no value: it is NaN, never infinity and never a sentinel.

A sentinel such as "largest float" for a Sharpe ratio without deviation would win every sweep; NaN
sorts last (`rank`).
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""A deviation below this multiple of (1 + |return|) is the rounding of equity, not risk."""


def finite(value: float) -> float:
    """Return `value` as a float without negative zero, NaN where it is not finite."""
    return float(value) + 0.0 if math.isfinite(value) else math.nan


def quotient(numerator: float, denominator: float) -> float:
    """Return numerator / denominator; NaN when the denominator is 0 or either is not finite."""
    if denominator == 0.0 or not (math.isfinite(numerator) and math.isfinite(denominator)):
        return math.nan
    return finite(float(np.float64(numerator) / np.float64(denominator)))


def mean(values: Floats) -> float:
    """Return the arithmetic mean; NaN of nothing, and NaN when a value is NaN."""
    return float(np.mean(values)) if values.size else math.nan


def deviation(returns: Floats) -> float:
    """Return the sample standard deviation (ddof 1) of returns.

    returns : ndarray of shape (n,), fraction per period

    NaN for n < 2 or when a return is NaN; exactly 0 where the returns differ by rounding only, so
    that a ratio over it is undefined instead of enormous.
    """
    if returns.size < 2:
        return math.nan
    spread = float(np.std(returns, ddof=1))
    noise = ROUNDING * (1.0 + float(np.max(np.abs(returns))))
    return 0.0 if spread <= noise else spread
