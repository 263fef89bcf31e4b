"""Resampling to a coarser timeframe, causally: a bar holds what had closed by its own close.

A bar that closes at c and opened at o is built from the input bars with o < close time ≤ c: first
open, highest high, lowest low, last close, summed volume. Missing input bars are skipped, so a bar
is built from what is there; one without any input is missing.
"""

import numpy as np

from stratvector.market.calendars import ALWAYS_OPEN, calendar
from stratvector.market.timeframes import Timeframe
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.bad_bars import BadBars
from stratvector.trading.bars import Bars
from stratvector.trading.coarser import fold_rows
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text


class OutsideSession(BadBars):
    """An input bar that closes while the coarser calendar is shut."""

    def __init__(self, close_time: int, calendar_name: str) -> None:
        self.close_time, self.calendar_name = close_time, calendar_name
        super().__init__(
            f"the bar that closes at {utc_text(close_time)} lies outside the sessions of calendar "
            f"{calendar_name}, so no coarser bar can hold it"
        )


class TooCoarse(BadBars):
    """Bars that are longer than what they are to be resampled to."""

    def __init__(self, timeframe: str, hours: float) -> None:
        self.timeframe, self.hours = timeframe, hours
        super().__init__(
            f"the bars close at least {hours:g} hours apart, so they cannot be resampled to "
            f"{timeframe}: only coarser bars can be made of them"
        )


def resample(bars: Bars, timeframe: str, calendar_name: str = ALWAYS_OPEN) -> Bars:
    """Bars of a coarser timeframe, closing when the calendar says; every close in between appears.

    The input must lie inside the coarser bars, as 30M lies inside 4H. Input that ends inside a bar
    gives a bar of the part that is there; to leave it out, cut the input where a bar closes.
    Raises OutsideSession and TooCoarse.
    """
    if not len(bars):
        return bars
    _refuse_finer(bars.close_times, parse_timeframe(timeframe))
    chosen = calendar(calendar_name)
    # A week spans any closed period between the last input and the close of its coarser bar.
    reach = int(bars.close_times[-1]) + _WEEK
    times = chosen.times(int(bars.close_times[0]), reach, timeframe)
    place = np.searchsorted(times.closes, bars.close_times, side="left")
    outside = np.flatnonzero(bars.close_times <= times.opens[place])
    if outside.size:
        raise OutsideSession(int(bars.close_times[outside[0]]), calendar_name)
    return fold_rows(bars, place, times.closes[: place[-1] + 1])


def _refuse_finer(close_times: Nanoseconds, wanted: Timeframe) -> None:
    """Bars that all close on a coarser grid than the wanted one, or nowhere as near as it is."""
    if len(close_times) < 2:
        return
    grid, apart = int(np.gcd.reduce(close_times)), int(np.diff(close_times).min())
    # Sessions open at any minute, so that no grid shows the length of their bars; the nearest two
    # closes do, unless there are so few that the bars between them may be missing.
    is_telling = len(close_times) >= _TELLING_CLOSES or apart >= _SHORT_DAY
    spacing = max(grid, apart if is_telling else 0)
    if wanted.nanoseconds < min(spacing, _SHORT_DAY):
        raise TooCoarse(wanted.name, spacing / _HOUR)


_TELLING_CLOSES = 10
_HOUR = NANOSECONDS_PER_DAY // 24
# From an ordinary close to an early one it is 21 hours: daily bars may be no nearer than that.
_SHORT_DAY = 20 * _HOUR
_WEEK = 7 * NANOSECONDS_PER_DAY
