"""Sampling: from equity at every close to one value, and one return, a day.

Portfolios of several universes close at irregular times; a ratio over raw closes would depend on
how many universes happened to be configured. So every metric of returns starts from the equity
at 00:00 UTC, on the last known marks.
"""

import numpy as np
from numpy.typing import NDArray

from stratvector.backtest.metrics.arrays import DAY_NS, DAYS_PER_YEAR, Floats, Times


def daily_equity(close_times: Times, equity: Floats) -> tuple[Times, Floats]:
    """Sample equity once a day at 00:00 UTC.

    close_times : ndarray of shape (T,), T >= 1, strictly increasing UTC nanoseconds
    equity : ndarray of shape (T,), account currency after each close; equity[0] is the initial
        equity at the session's start (nothing fills at the first close)

    Returns (days, samples), both of shape (D,): consecutive midnights in UTC nanoseconds, and the
    last equity whose close time is at or before each. The first sample is the initial equity: at
    the first midnight at or after the start, or at the midnight before it when the session has a
    second close by then. The last sample includes the last close. NaN in equity stays NaN.
    """
    days = sample_days(close_times)
    instants = np.maximum(days, close_times[0])
    return days, last_known(instants, close_times, equity)


def sample_days(close_times: Times) -> Times:
    """Return the midnights (D,) at which a session with these close times (T,) is sampled."""
    first = _midnight_at_or_after(int(close_times[0]))
    if len(close_times) > 1 and close_times[1] <= first:
        first -= DAY_NS
    last = _midnight_at_or_after(int(close_times[-1]))
    return np.arange(first, last + DAY_NS, DAY_NS, dtype=np.int64)


def last_known(instants: Times, times: Times, values: Floats) -> Floats:
    """Return for each instant (k,) the value (n,) of the latest time at or before it, else NaN."""
    latest = np.searchsorted(times, instants, side="right") - 1
    return np.where(latest >= 0, values[np.maximum(latest, 0)], np.nan)


def daily_returns(samples: Floats) -> Floats:
    """Return the fractional changes (D-1,) of daily samples (D,).

    NaN where a sample is NaN or the earlier one is not positive: after ruin there is no return.
    """
    before = np.where(samples[:-1] > 0.0, samples[:-1], np.nan)
    return np.asarray(samples[1:] / before - 1.0, dtype=np.float64)


def session_closed(close_times: Times, days: Times) -> NDArray[np.bool_]:
    """Tell for each day between samples (D-1,) whether a close fell into it.

    A close at exactly 00:00 belongs to the day that it ends.
    """
    closes_until = np.searchsorted(close_times, days, side="right")
    return np.asarray(np.diff(closes_until) > 0, dtype=np.bool_)


def elapsed_years(close_times: Times) -> float:
    """Return the time from the first to the last close in years of 365.25 days."""
    return float(close_times[-1] - close_times[0]) / DAY_NS / DAYS_PER_YEAR


def _midnight_at_or_after(time: int) -> int:
    return -(-time // DAY_NS) * DAY_NS
