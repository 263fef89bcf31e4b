"""The portfolio against a benchmark: beta, alpha and information ratio.

returns, benchmark_returns : ndarrays of shape (n,), fraction per period, of the same periods.
A period in which either is NaN (the benchmark has no price yet) is left out of both; a result
is NaN when fewer than two periods remain.
"""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats, Times
from stratvector.backtest.metrics.daily import daily_returns, last_known, sample_days
from stratvector.backtest.metrics.returns import rate_per_period
from stratvector.backtest.metrics.undefined import deviation, mean, quotient
from stratvector.trading.benchmark import Benchmark


def benchmark_returns(benchmark: Benchmark, close_times: Times) -> Floats:
    """Return the benchmark's returns (D-1,) between the session days of these close times (T,).

    Sampled like the portfolio's equity; NaN before the benchmark's first price.
    """
    instants = np.maximum(sample_days(close_times), close_times[0])
    return daily_returns(last_known(instants, benchmark.close_times, benchmark.prices))


def beta(returns: Floats, benchmark_returns: Floats) -> float:
    """Return covariance / variance of the benchmark (ddof 1): the slope of ordinary least squares.

    NaN also when the benchmark does not vary.
    """
    ours, theirs = _paired(returns, benchmark_returns)
    if not deviation(theirs) > 0.0:
        return math.nan
    centered = theirs - np.mean(theirs)
    return quotient(float(np.sum(centered * (ours - np.mean(ours)))), float(np.sum(centered**2)))


def alpha(
    returns: Floats,
    benchmark_returns: Floats,
    periods_per_year: float,
    risk_free_rate: float = 0.0,
) -> float:
    """Return (mean excess - beta x mean benchmark excess) x periods per year, fraction per year.

    Source: Jensen (1968), The Performance of Mutual Funds, Journal of Finance 23(2).
    """
    ours, theirs = _paired(returns, benchmark_returns)
    rate = rate_per_period(risk_free_rate, periods_per_year)
    expected = beta(ours, theirs) * (mean(theirs) - rate)
    return (mean(ours) - rate - expected) * periods_per_year


def information_ratio(returns: Floats, benchmark_returns: Floats, periods_per_year: float) -> float:
    """Return mean active return / tracking error (ddof 1) x sqrt(periods per year).

    NaN also when the portfolio tracks the benchmark exactly.
    Source: Goodwin (1998), The Information Ratio, Financial Analysts Journal 54(4).
    """
    ours, theirs = _paired(returns, benchmark_returns)
    active = ours - theirs
    return quotient(mean(active), deviation(active)) * math.sqrt(periods_per_year)


def _paired(returns: Floats, benchmark_returns: Floats) -> tuple[Floats, Floats]:
    present = ~(np.isnan(returns) | np.isnan(benchmark_returns))
    return returns[present], benchmark_returns[present]
