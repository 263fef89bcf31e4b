"""Growth, volatility and the ratios of reward to volatility.

Returns are annualised by `periods_per_year`, how many of them a year of 365.25 days had at the
session's own pace (`daily.Observations`): near 365 where some universe closes every day, 252 on
an exchange's days, 52 on weekly bars, 12 on monthly ones. The risk-free rate is an effective
annual rate; the rate of one period compounds to it.
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.undefined import deviation, finite, mean, quotient


def total_return(initial_equity: float, final_equity: float) -> float:
    """Return final / initial - 1, a fraction; NaN unless the initial equity is positive."""
    return quotient(final_equity, initial_equity) - 1.0 if initial_equity > 0.0 else math.nan


def annualized_return(initial_equity: float, final_equity: float, years: float) -> float:
    """Return the compound annual growth rate (final / initial) ** (1 / years) - 1, a fraction.

    NaN without elapsed time, for negative final equity, and where the power overflows (a gain of
    minutes has no meaningful annual rate).
    """
    growth = 1.0 + total_return(initial_equity, final_equity)
    if not (growth >= 0.0 and years > 0.0):
        return math.nan
    with np.errstate(over="ignore"):
        return finite(float(np.power(growth, 1.0 / years)) - 1.0)


def annualized_volatility(returns: Floats, periods_per_year: float) -> float:
    """Return the standard deviation (ddof 1) x sqrt(periods per year), fraction per year.

    returns : ndarray of shape (n,), fraction per period. NaN for n < 2 or a NaN return.
    """
    return deviation(returns) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: Floats, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Return mean excess return / its standard deviation (ddof 1) x sqrt(periods per year).

    returns : ndarray of shape (n,), fraction per period
    risk_free_rate : fraction per year

    NaN for n < 2, a NaN return, or returns that do not vary.
    Source: Sharpe (1994), The Sharpe Ratio, Journal of Portfolio Management 21(1).
    """
    excess = returns - rate_per_period(risk_free_rate, periods_per_year)
    return quotient(mean(excess), deviation(excess)) * math.sqrt(periods_per_year)


def sortino_ratio(returns: Floats, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Return mean excess return / downside deviation x sqrt(periods per year).

    returns : ndarray of shape (n,), fraction per period
    The downside deviation is sqrt(mean(min(excess, 0) ** 2)) over all n observations, not only
    the losing ones: the target is known, so no degree of freedom is lost.

    NaN for n < 2, a NaN return, or no return below the risk-free rate.
    Source: Sortino & van der Meer (1991), Downside Risk, Journal of Portfolio Management 17(4).
    """
    if returns.size < 2:
        return math.nan
    excess = returns - rate_per_period(risk_free_rate, periods_per_year)
    downside = math.sqrt(mean(np.minimum(excess, 0.0) ** 2))
    return quotient(mean(excess), downside) * math.sqrt(periods_per_year)


def omega_ratio(returns: Floats, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Return the sum of gains / the sum of losses around the risk-free rate of one period.

    returns : ndarray of shape (n,), fraction per period
    NaN without returns, with a NaN return, or when no return is below the threshold.
    Source: Keating & Shadwick (2002), A Universal Performance Measure.
    """
    excess = returns - rate_per_period(risk_free_rate, periods_per_year)
    gains = float(np.sum(np.maximum(excess, 0.0)))
    losses = float(np.sum(np.maximum(-excess, 0.0)))
    return quotient(gains, losses)


def rate_per_period(annual_rate: float, periods_per_year: float) -> float:
    """Return the rate of one period that compounds to the effective annual rate (> -1)."""
    return math.expm1(math.log1p(annual_rate) / periods_per_year)
