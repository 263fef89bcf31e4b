"""Drawdowns: how far equity lay below its running peak, and for how long.

Every function takes equity : ndarray of shape (n,), account currency, positive at the start: at
every close, where a fall inside a day counts, or one sample per session day. Drawdowns are
fractions and negative. A NaN sample makes the result NaN.
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import DAY_NS, Floats, Times
from stratvector.backtest.metrics.undefined import quotient


def drawdowns(equity: Floats) -> Floats:
    """Return equity / running peak - 1, shape (n,), at most 0; below -1 only for debt."""
    return np.asarray(equity / np.maximum.accumulate(equity) - 1.0, dtype=np.float64)


def max_drawdown(equity: Floats) -> float:
    """Return the deepest drawdown, a fraction at most 0; 0 when equity never fell."""
    return float(np.min(drawdowns(equity))) + 0.0


def max_drawdown_duration(times: Times, equity: Floats) -> float:
    """Return the longest time under water in days of 24 hours.

    times : ndarray of shape (n,), UTC nanoseconds of the samples

    Counted from the sample at the peak to the first sample that is back at it or above, or to the
    last sample where equity has not recovered; 0 when equity never fell.
    """
    if np.isnan(equity).any():
        return math.nan
    at_peak = np.flatnonzero(equity >= np.maximum.accumulate(equity))
    ends = np.append(at_peak[1:], len(equity) - 1)
    fell = np.append(np.diff(at_peak) > 1, at_peak[-1] < len(equity) - 1)
    lasted = (times[ends] - times[at_peak])[fell]
    return float(np.max(lasted, initial=0)) / DAY_NS


def ulcer_index(equity: Floats) -> float:
    """Return sqrt(mean(drawdown ** 2)), a fraction (the source writes per cent).

    Source: Martin & McCann (1989), The Investor's Guide to Fidelity Funds.
    """
    return math.sqrt(float(np.mean(drawdowns(equity) ** 2)))


def calmar_ratio(annualized_return: float, max_drawdown: float) -> float:
    """Return annualised return / |max drawdown| over the whole session; NaN without drawdown.

    Source: Young (1991), Calmar Ratio: A Smoother Tool, Futures 20(1) (there over 36 months).
    """
    return quotient(annualized_return, abs(max_drawdown))


def recovery_factor(total_return: float, max_drawdown: float) -> float:
    """Return total return / |max drawdown|; NaN without drawdown."""
    return quotient(total_return, abs(max_drawdown))
