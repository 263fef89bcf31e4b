"""Third and fourth moment of daily returns, corrected for the size of the sample.

returns : ndarray of shape (n,), fraction per day. NaN for too few returns, a NaN return, or
returns that do not vary.
Source: Joanes & Gill (1998), Comparing measures of sample skewness and kurtosis, G1 and G2.
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.undefined import deviation


def skew(returns: Floats) -> float:
    """Return G1 = sqrt(n (n-1)) / (n-2) x m3 / m2 ** 1.5; n >= 3."""
    n = returns.size
    if n < 3 or not deviation(returns) > 0.0:
        return math.nan
    return math.sqrt(n * (n - 1)) / (n - 2) * _standardized_moment(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Return the excess kurtosis G2 = (n-1) / ((n-2)(n-3)) x ((n+1) g2 + 6); n >= 4.

    g2 = m4 / m2 ** 2 - 3, so that a normal distribution has 0.
    """
    n = returns.size
    if n < 4 or not deviation(returns) > 0.0:
        return math.nan
    excess = _standardized_moment(returns, 4) - 3.0
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6.0)


def _standardized_moment(returns: Floats, order: int) -> float:
    """Return mean(z ** order) of z-scores with ddof 0; scaling first avoids underflow."""
    centered = returns - np.mean(returns)
    return float(np.mean((centered / np.std(returns)) ** order))
