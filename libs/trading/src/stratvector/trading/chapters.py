"""chapters: a stretch of a portfolio's life under one document, as the log keeps it.

Whoever reads a log starts here: which portfolio and models, from when on, over which bars, by which
engine. When these bars close they say themselves, each of them when the next one does. Nothing
beside the log is needed to compute its result again.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.columns import Values
from stratvector.trading.timestamps import Nanoseconds

FIRST = 1
# Who starts reads at most so many closes again: a minute's work. What a chapter carries is as large
# as a few hundred closes.
CLOSES_PER_CHAPTER = 5_000


@dataclass(frozen=True)
class ChapterBars:
    """The bars of one universe, warm-up first.

    hash : of all of them and their times, see `hash_of_bars`. closes : how many there are; 0 =
    without end, a live feed: of bars that don't exist yet there is no hash, so `hash` is of what
    they are instead: venue, symbols and timeframe, see `market.live.LiveSource`. earlier_versions :
    of the universe in this run, each with other symbols and bars of its own; risk counts them.
    closing : the symbols that are wanted no more, and stay until none of them is held or ordered.
    """

    universe: str
    hash: str
    closes: int
    earlier_versions: int = 0
    closing: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoneUniverse:
    """A universe that was removed. versions : that it has had in this run; if it comes back it has
    the next one, as the lanes of those are in the log.
    """

    universe: str
    versions: int


@dataclass(frozen=True)
class Chapter:
    """What a stretch of the log is a function of.

    number : counted from 1. engine_hash : of the engine that decides. document : portfolio, start,
    strategies, sources and caveats as JSON, in its one canonical form. run : of the portfolio.
    previous : id of the message of the chapter before, empty in the first one. carried : what the
    portfolio brings along, None in the first one. applied_by, applied_at : who wanted its document,
    and when (ns UTC); empty and 0 where nobody applied it. gone : universes that chapters before
    had.
    """

    portfolio: str
    number: int
    engine_hash: str
    document: str
    bars: tuple[ChapterBars, ...]
    run: str
    previous: str = ""
    carried: Carried | None = None
    applied_by: str = ""
    applied_at: int = 0
    gone: tuple[GoneUniverse, ...] = ()

    def bars_of(self, universe: str) -> ChapterBars:
        """The bars of a universe. Raises KeyError for one that the chapter does not have."""
        for bars in self.bars:
            if bars.universe == universe:
                return bars
        raise KeyError(f"chapter {self.number} of {self.portfolio} has no universe {universe!r}")


@dataclass(frozen=True)
class Opened:
    """A chapter opens, said in the orders lane right after the last decision before it.

    Content alone, in the chapters lane, has no effect: who sleeps there may still write it.

    number : of the chapter. chapter_id, sequence : of the message that has its content.
    close_time : of the decision before, ns UTC, 0 where there is none.
    """

    portfolio: str
    number: int
    chapter_id: str
    sequence: int
    close_time: int


class BarsHash:
    """Folds bars in order, in pieces of any size; equal values give equal hashes.

    Times are int64[n, 2], closed and opened; values float64[n, 5, S] in the order of `FIELDS`. A
    missing value is NaN whatever its bits are.
    """

    def __init__(self) -> None:
        self._times, self._values = hashlib.sha256(), hashlib.sha256()

    def add(self, times: Nanoseconds, values: Values) -> None:
        """The next bars."""
        self._times.update(np.ascontiguousarray(times, np.dtype("<i8")).tobytes())
        known = np.where(np.isnan(values), np.nan, values)
        self._values.update(np.ascontiguousarray(known, np.dtype("<f8")).tobytes())

    def hex(self) -> str:
        """The hash of everything so far, 64 hex digits."""
        both = self._times.digest() + self._values.digest()
        return hashlib.sha256(both).hexdigest()


def hash_of_bars(bars: Bars, open_times: Nanoseconds) -> str:
    """The hash of a whole panel and when each of its bars opened."""
    folded = BarsHash()
    times = np.stack([bars.close_times, open_times], axis=1)
    folded.add(times, np.stack([getattr(bars, field) for field in FIELDS], axis=1))
    return folded.hex()


def hash_of_sections(sections: Iterable[ClosedBars]) -> str:
    """The same of cross-sections, one after the other."""
    folded = BarsHash()
    for section in sections:
        times = np.array([[section.close_time, section.open_time]], np.int64)
        folded.add(times, np.stack([getattr(section, field) for field in FIELDS])[None])
    return folded.hex()
