"""Sampling: from equity at every close to one value, and one return, per session day.

Portfolios of several universes close at irregular times; a ratio over raw closes would depend on
how many universes happened to be configured. So every metric of returns starts from the equity
at 00:00 UTC, on the last known marks, after each UTC date on which some universe closed. Where
bars are coarser than a day that is one observation per bar, and nobody has to be asked how long
a bar is, or which days of the week are worked.
"""

from dataclasses import dataclass

import numpy as np

from stratvector.backtest.metrics.arrays import DAY_NS, DAYS_PER_YEAR, Floats, Times

RETURNS_MIN = 30
DAYS_MIN = 90.0


@dataclass(frozen=True)
class Observations:
    """How much a session tells: returns between session days, and elapsed days from its first to
    its last close.
    """

    returns: int
    days: float

    @property
    def per_year(self) -> float:
        """Returns in a year of 365.25 days; NaN without elapsed time."""
        return self.returns * DAYS_PER_YEAR / self.days if self.days > 0.0 else np.nan

    @property
    def suffice(self) -> bool:
        """Whether a year may be told from them: at least 30 returns and 90 days."""
        return self.returns >= RETURNS_MIN and self.days >= DAYS_MIN


def observations(close_times: Times) -> Observations:
    """Count the returns of a session with these close times (T,), T >= 1."""
    elapsed = float(close_times[-1] - close_times[0]) / DAY_NS
    return Observations(len(sample_days(close_times)) - 1, elapsed)


def daily_equity(close_times: Times, equity: Floats) -> tuple[Times, Floats]:
    """Sample equity at 00:00 UTC after each session day.

    close_times : ndarray of shape (T,), T >= 1, strictly increasing UTC nanoseconds
    equity : ndarray of shape (T,), account currency after each close; equity[0] is the initial
        equity at the session's start (nothing fills at the first close)

    Returns (days, samples), both of shape (D,): midnights in UTC nanoseconds, and the last equity
    whose close time is at or before each. A day without a close has no sample. The first sample is
    the initial equity: at the first midnight at or after the start, or at the midnight before it
    when the session has a second close by then. The last sample includes the last close. NaN in
    equity stays NaN.
    """
    return sample_days(close_times), equity[sample_rows(close_times)]


def sample_rows(close_times: Times) -> Times:
    """Return the rows (D,) of the closes (T,) whose equity is sampled at each midnight."""
    instants = np.maximum(sample_days(close_times), close_times[0])
    after = np.searchsorted(close_times, instants, side="right")
    return np.asarray(after - 1, dtype=np.int64)


def sample_days(close_times: Times) -> Times:
    """Return the midnights (D,) at which a session with these close times (T,) is sampled.

    A close at exactly 00:00 belongs to the day that it ends.
    """
    days = -(-close_times // DAY_NS) * DAY_NS
    days = days[np.diff(days, prepend=days[0] - 1) != 0]
    if len(close_times) > 1 and close_times[1] <= days[0]:
        days = np.concatenate([days[:1] - DAY_NS, days])
    return days.astype(np.int64)


def last_known(instants: Times, times: Times, values: Floats) -> Floats:
    """Return for each instant (k,) the value (n,) of the latest time at or before it, else NaN."""
    latest = np.searchsorted(times, instants, side="right") - 1
    return np.where(latest >= 0, values[np.maximum(latest, 0)], np.nan)


def daily_returns(samples: Floats) -> Floats:
    """Return the fractional changes (D-1,) of samples (D,).

    NaN where a sample is NaN or the earlier one is not positive: after ruin there is no return.
    """
    before = np.where(samples[:-1] > 0.0, samples[:-1], np.nan)
    return np.asarray(samples[1:] / before - 1.0, dtype=np.float64)


def elapsed_years(close_times: Times) -> float:
    """Return the time from the first to the last close in years of 365.25 days."""
    return float(close_times[-1] - close_times[0]) / DAY_NS / DAYS_PER_YEAR
