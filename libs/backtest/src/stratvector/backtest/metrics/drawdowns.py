"""Drawdowns of daily equity: how far below its running peak, and for how long.

Every function takes equity : ndarray of shape (D,), account currency, one sample a day, positive
at the start. Drawdowns are fractions and negative. A NaN sample makes the result NaN.
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.undefined import quotient


def drawdowns(equity: Floats) -> Floats:
    """Return equity / running peak - 1, shape (D,), at most 0; below -1 only for debt."""
    return np.asarray(equity / np.maximum.accumulate(equity) - 1.0, dtype=np.float64)


def max_drawdown(equity: Floats) -> float:
    """Return the deepest drawdown, a fraction at most 0; 0 when equity never fell."""
    return float(np.min(drawdowns(equity))) + 0.0


def max_drawdown_duration(equity: Floats) -> float:
    """Return the longest time under water in days.

    Counted from the sample at the peak to the first sample that is back at it or above, or to the
    last sample where equity has not recovered; 0 when equity never fell.
    """
    if np.isnan(equity).any():
        return math.nan
    at_peak = np.flatnonzero(equity >= np.maximum.accumulate(equity))
    between_peaks = np.diff(at_peak)
    recovered = between_peaks[between_peaks > 1]
    unrecovered = len(equity) - 1 - int(at_peak[-1])
    return float(max(unrecovered, int(np.max(recovered, initial=0))))


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
