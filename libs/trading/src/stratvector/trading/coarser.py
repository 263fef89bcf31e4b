"""The same bars at a coarser timeframe, as far as they had closed: what `bars.higher` stands on.

A coarser bar ends on the UTC grid of its timeframe (00:00, 04:00 .. for 4H, 00:00 for 1D, Monday
00:00 for 1W) and holds the bars with start < close time <= end: first open, highest high, lowest
low, last close, summed volume; one without any bar is not there. At a row it is seen from the first
close at or after its end. Its oldest one is never seen: the bars may begin in its middle, and then
a window and the whole history would differ. So every row sees the newest n coarser bars if the
history is (n + 1) x the closes in a coarser bar.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from stratvector.trading.columns import Values
from stratvector.trading.timeframes import UnknownTimeframe, timeframe
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds

Rows = NDArray[np.intp]

WEEK = "1W"
_WEEK_NS = 7 * NANOSECONDS_PER_DAY
_FIRST_MONDAY_NS = 4 * NANOSECONDS_PER_DAY  # 1970-01-05; the epoch is a Thursday


@dataclass(frozen=True, eq=False)
class Coarser:
    """The coarser bars that had closed by the last of the finer ones, and who sees which.

    bars : shape (H, symbols). newest : per row of the finer bars, the row of `bars` that had closed
    last, -1 before the first.
    """

    bars: Bars
    newest: Rows

    def aligned(self, values: Values) -> Values:
        """Values of the coarser bars, shape (H, symbols), as each finer row sees them; NaN before
        the first. Shape (T, symbols), read-only.
        """
        before = np.full((1, *values.shape[1:]), np.nan)
        seen: Values = np.concatenate((before, values))[self.newest + 1]
        seen.flags.writeable = False
        return seen


def coarser(bars: Bars, name: str) -> Coarser:
    """The bars at a timeframe such as "4H", "1D" or "1W". Raises UnknownTimeframe."""
    length, offset = _grid(name)
    ends = -((offset - bars.close_times) // length)  # rounded up
    numbers, place = np.unique(ends, return_inverse=True)
    close_times = numbers * length + offset
    folded = fold_rows(bars, place, close_times)
    last = int(bars.close_times[-1]) if len(bars) else 0
    closed = int(np.searchsorted(close_times, last, side="right"))
    whole = folded.window(min(1, closed), closed)
    newest = np.searchsorted(whole.close_times, bars.close_times, side="right") - 1
    return Coarser(whole, newest)


def fold_rows(bars: Bars, place: Rows, close_times: Nanoseconds) -> Bars:
    """Fold the rows of bars into the coarser rows that `place` gives them, in their order.

    Missing bars are skipped; a coarser bar without any is missing.
    """
    shape = (len(close_times), len(bars.symbols))
    there = ~np.isnan(bars.close)
    high, low, volume = np.full(shape, -np.inf), np.full(shape, np.inf), np.zeros(shape)
    np.maximum.at(high, place, np.where(there, bars.high, -np.inf))
    np.minimum.at(low, place, np.where(there, bars.low, np.inf))
    np.add.at(volume, place, np.where(there, bars.volume, 0.0))
    first, last = np.full(shape, np.nan), np.full(shape, np.nan)
    rows, columns = np.nonzero(there)
    # Rows are in time order: the last assignment to a place is the latest, reversed the earliest.
    last[place[rows], columns] = bars.close[rows, columns]
    first[place[rows[::-1]], columns[::-1]] = bars.open[rows[::-1], columns[::-1]]
    high, low, volume = (np.where(np.isnan(last), np.nan, one) for one in (high, low, volume))
    return Bars(bars.symbols, close_times, first, high, low, last, volume)


def _grid(name: str) -> tuple[int, int]:
    """Length of a timeframe and any one of its ends, ns."""
    if not isinstance(name, str):
        raise UnknownTimeframe(repr(name))
    if name.strip().upper() in (WEEK, WEEK[::-1]):
        return _WEEK_NS, _FIRST_MONDAY_NS
    return timeframe(name).nanoseconds, 0
