"""What is missing, silent or suspicious in a panel of bars, per symbol."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stratvector.trading.bars import PRICES, Bars
from stratvector.trading.quality.jumps import Jumps, find_jumps
from stratvector.trading.quality.pauses import irregular_pauses
from stratvector.trading.timestamps import Nanoseconds

SILENT_BARS_MIN = 3
"""So many bars in a row without a trade, or with the same four prices, are no coincidence."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SymbolQuality:
    """One symbol's bars on the panel's closes. All times are int64 UTC ns.

    first, last : its first and last bar, None when it has none.
    before, missing, after : closes before, between and after these without a bar, though another
        symbol has one; `before` and `after` are counted only.
    longest_gap : the most of them in a row.
    zero_volume, stale : closes in runs of `SILENT_BARS_MIN` bars and more in which nothing was
        traded, or whose open, high, low and close are those of the bar before.
    jumps : split-like jumps and outliers.
    """

    symbol: str
    bars: int
    first: int | None
    last: int | None
    before: int
    after: int
    missing: Nanoseconds
    longest_gap: int
    zero_volume: Nanoseconds
    stale: Nanoseconds
    jumps: Jumps

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing between the ends and nothing is suspicious."""
        found = (self.missing, self.zero_volume, self.stale, self.jumps.splits, self.jumps.outliers)
        return bool(self.bars) and not any(len(each) for each in found)


@dataclass(frozen=True, eq=False)
class Quality:
    """A panel's quality.

    sessions : closes at which no symbol has a bar, from the panel's first bar to its last.
    pauses : shape (n, 2), the closes around pauses that the panel's own rhythm does not explain;
        none where the closes are a calendar's.
    """

    symbols: tuple[SymbolQuality, ...]
    sessions: Nanoseconds
    pauses: Nanoseconds


def examine(bars: Bars, scheduled: bool = True) -> Quality:
    """The quality of a panel and of each of its symbols.

    scheduled : the closes are all that a calendar has, so that what is missing is a row of NaN.
    Without a calendar, pauses much longer than the panel's usual ones are looked for too.
    """
    there = ~np.isnan(bars.close)
    any_there: Flags = np.logical_or.reduce(there, axis=1)
    rows = np.flatnonzero(any_there)
    inside = slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
    times = bars.close_times
    return Quality(
        tuple(_examine(bars, column, any_there) for column in range(len(bars.symbols))),
        times[inside][~any_there[inside]],
        times[:0].reshape(0, 2) if scheduled else irregular_pauses(times[any_there]),
    )


def _examine(bars: Bars, column: int, any_there: Flags) -> SymbolQuality:
    times, close, symbol = bars.close_times, bars.close[:, column], bars.symbols[column]
    rows = np.flatnonzero(~np.isnan(close))
    nothing = times[:0]
    if not rows.size:
        none = Jumps.none()
        return SymbolQuality(
            symbol, 0, None, None, int(any_there.sum()), 0, nothing, 0, nothing, nothing, none
        )
    first, last = int(rows[0]), int(rows[-1])
    absent = np.isnan(close[first : last + 1]) & any_there[first : last + 1]
    prices = {name: getattr(bars, name)[rows, column] for name in PRICES}
    volume = bars.volume[rows, column]
    same = np.zeros(len(rows), dtype=np.bool_)
    same[1:] = np.logical_and.reduce([each[1:] == each[:-1] for each in prices.values()])
    return SymbolQuality(
        symbol=symbol,
        bars=len(rows),
        first=int(times[first]),
        last=int(times[last]),
        before=int(any_there[:first].sum()),
        after=int(any_there[last + 1 :].sum()),
        missing=times[first : last + 1][absent],
        longest_gap=_longest_run(absent),
        zero_volume=times[rows[_in_runs(volume == 0, SILENT_BARS_MIN)]],
        # A repeated bar has one before it that it repeats: runs are one shorter here.
        stale=times[rows[_in_runs(same, SILENT_BARS_MIN - 1)]],
        jumps=find_jumps(times[rows], prices["open"], prices["close"], volume),
    )


def _runs(flags: Flags) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where runs of true begin, and the first position after each."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return edges[::2], edges[1::2]


def _longest_run(flags: Flags) -> int:
    begins, ends = _runs(flags)
    return int((ends - begins).max(initial=0))


def _in_runs(flags: Flags, length_min: int) -> Flags:
    """The flags that stand in runs of at least `length_min`."""
    kept = np.zeros(len(flags), dtype=np.bool_)
    for begin, end in zip(*_runs(flags), strict=True):
        if end - begin >= length_min:
            kept[begin:end] = True
    return kept
