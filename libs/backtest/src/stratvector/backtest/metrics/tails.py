"""Tails of the historical distribution of daily returns.

Every function takes returns : ndarray of shape (n,), fraction per day, and gives NaN without
returns or when one is NaN. Quantiles interpolate linearly (Hyndman & Fan 1996, type 7).
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.undefined import quotient


def value_at_risk(returns: Floats, level: float) -> float:
    """Return minus the (1 - level) quantile of returns: a loss is positive, fraction per day.

    level : confidence, such as 0.95. Negative where even this quantile is a gain: it is not
    cut at 0, so that adding cash moves it by exactly that cash.
    Source: Jorion (2006), Value at Risk, historical simulation.
    """
    return -_quantile(returns, 1.0 - level)


def conditional_value_at_risk(returns: Floats, level: float) -> float:
    """Return minus the mean of the returns at or below the (1 - level) quantile, fraction per day.

    Never below value_at_risk of the same level.
    Source: Rockafellar & Uryasev (2002), Conditional value-at-risk for general loss distributions.
    """
    threshold = _quantile(returns, 1.0 - level)
    if math.isnan(threshold):
        return math.nan
    return -float(np.mean(returns[returns <= threshold]))


def tail_ratio(returns: Floats) -> float:
    """Return |95 % quantile| / |5 % quantile|: the size of good days over that of bad days.

    NaN also when the 5 % quantile is 0.
    """
    return quotient(abs(_quantile(returns, 0.95)), abs(_quantile(returns, 0.05)))


def _quantile(returns: Floats, probability: float) -> float:
    return float(np.quantile(returns, probability)) if returns.size else math.nan
