"""Bars: the panel of a universe's history, and the one closed cross-section that travels.

A bar's time is its close, UTC, in ns. A missing bar is NaN in all five values; prices that are
there are finite and above 0, `low ≤ open, close ≤ high`, and volume is at least 0. Every way to
break these rules is an exception of its own in `bad_bars`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stratvector.trading import columns, header
from stratvector.trading.bad_bars import (
    BadBars,
    BadPrice,
    BadShape,
    BadVolume,
    DuplicateBar,
    EmptyBars,
    InconsistentRange,
    UnknownClose,
    UnknownSymbol,
    UnorderedCloses,
)
from stratvector.trading.columns import Values
from stratvector.trading.timestamps import Nanoseconds, utc_text

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume")
COLUMNS = ("timestamp", "symbol", *FIELDS)
ENCLOSED = (
    ("high", "low"),
    ("high", "open"),
    ("high", "close"),
    ("low", "open"),
    ("low", "close"),
)

__all__ = ["COLUMNS", "ENCLOSED", "FIELDS", "PRICES", "BadBars", "Bars", "ClosedBars"]


@dataclass(frozen=True, eq=False)
class ClosedBars:
    """One closed cross-section: all symbols of a universe at one close time.

    close_time, open_time : UTC ns; 0 = the opening is not known.
    open, high, low, close : price per unit, shape (n_symbols,).
    volume : units traded in the bar, shape (n_symbols,).  NaN in all five = the bar is missing.
    late : whether market_data decided that some of the data came too late to be used.
    next_close : when the universe closes next, UTC ns; 0 = never again. Only market_data keeps a
    calendar.
    """

    universe: str
    timeframe: str
    close_time: int
    symbols: tuple[str, ...]
    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values
    late: bool = False
    open_time: int = 0
    next_close: int = 0

    def __post_init__(self) -> None:
        _check_panel(self, (len(self.symbols),))

    def __repr__(self) -> str:
        present = int(np.count_nonzero(~np.isnan(self.close)))
        named = f"{self.universe} {self.timeframe} at {utc_text(self.close_time)}"
        return f"ClosedBars({named}, {present:,} of {len(self.symbols):,} symbols)"


@dataclass(frozen=True, eq=False)
class Bars:
    """A panel of bars: n symbols at T close times.

    close_times : int64 UTC ns, shape (T,), strictly increasing.
    open, high, low, close : price per unit, float64, shape (T, n_symbols), C-contiguous.
    volume : units traded in the bar, same shape.  NaN in all five = the bar is missing.
    Raises BadShape when the arrays do not fit and UnorderedCloses when times do not increase.
    """

    symbols: tuple[str, ...]
    close_times: Nanoseconds
    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values

    def __post_init__(self) -> None:
        _check_panel(self, (len(self.close_times), len(self.symbols)))
        _check_increasing(self.close_times)

    def __len__(self) -> int:
        """Number of close times."""
        return len(self.close_times)

    def __repr__(self) -> str:
        ends = " to ".join(utc_text(int(t)) for t in self.close_times[[0, -1]]) if len(self) else ""
        named = ", ".join(self.symbols[:3]) + (", ..." if len(self.symbols) > 3 else "")
        return (
            f"Bars({len(self.symbols):,} symbols ({named}), {len(self):,} closes"
            f"{', ' if ends else ''}{ends})"
        )

    @classmethod
    def from_columns(
        cls,
        timestamp: npt.ArrayLike,
        symbol: npt.ArrayLike,
        open: npt.ArrayLike,
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike,
    ) -> Self:
        """Pivot long columns, one row per symbol and close time in any order, into a panel.

        timestamp : datetime64 in UTC, integer ns or aware UTC datetimes, 1850 to 2199.
        A (close time, symbol) without a row, or with a row of five NaN, is a missing bar. Symbols
        come out in alphabetical order, so that the rows' order decides nothing.
        Raises the kinds of BadBars: see `bad_bars`.
        """
        stamps = columns.times(timestamp)
        listed = columns.names(symbol)
        given = (open, high, low, close, volume)
        values = {
            name: columns.numbers(column, name) for name, column in zip(FIELDS, given, strict=True)
        }
        if not len(stamps):
            raise EmptyBars
        _check_lengths(len(stamps), listed, values)
        _check_values(stamps, listed, values)
        return cls._pivot(stamps, listed, values)

    @classmethod
    def from_frame(cls, frame: Any) -> Self:
        """Bars of a pandas or polars frame with the columns of `COLUMNS` (others are ignored).

        frame : anything with `.columns` whose `frame[name]` has `.to_numpy()` and `.dtype`.
        Times as in `from_columns`; a date without a time of day is midnight UTC. Names are compared
        without the spaces around them and without regard to case.
        """
        labels = list(frame.columns)
        places = header.choose([str(label) for label in labels], COLUMNS)
        chosen = {name: frame[labels[place]] for name, place in places.items()}
        stamps = columns.times(
            columns.array(chosen["timestamp"]), _declared_zone(chosen["timestamp"])
        )
        moments = stamps.view("datetime64[ns]")
        return cls.from_columns(moments, *(columns.array(chosen[name]) for name in COLUMNS[1:]))

    @classmethod
    def _pivot(cls, stamps: Nanoseconds, listed: list[str], values: dict[str, Values]) -> Self:
        symbols = tuple(sorted(set(listed)))
        position = {name: index for index, name in enumerate(symbols)}
        close_times, rows = np.unique(stamps, return_inverse=True)
        places = rows * len(symbols) + np.array([position[name] for name in listed])
        _check_duplicates(places, close_times, symbols)
        panel = {}
        for name, column in values.items():
            flat = np.full(len(close_times) * len(symbols), np.nan)
            flat[places] = column
            panel[name] = flat.reshape(len(close_times), len(symbols))
        return cls(symbols=symbols, close_times=close_times, **panel)

    def window(self, first: int, stop: int) -> Self:
        """Rows first ≤ t < stop as views of the same memory."""
        rows = slice(first, stop)
        return type(self)(
            self.symbols,
            self.close_times[rows],
            *(getattr(self, name)[rows] for name in FIELDS),
        )

    def between(self, start: int, end: int) -> Self:
        """Rows whose close time (UTC ns) lies in start ≤ t ≤ end, as views."""
        first = int(np.searchsorted(self.close_times, start, side="left"))
        stop = int(np.searchsorted(self.close_times, end, side="right"))
        return self.window(first, max(first, stop))

    def select(self, symbols: Sequence[str]) -> Self:
        """The named symbols in the named order (a copy). Raises UnknownSymbol."""
        position = {name: index for index, name in enumerate(self.symbols)}
        for name in symbols:
            if name not in position:
                raise UnknownSymbol(name, self.symbols)
        chosen = [position[name] for name in symbols]
        panel = (np.ascontiguousarray(getattr(self, name)[:, chosen]) for name in FIELDS)
        return type(self)(tuple(symbols), self.close_times, *panel)

    def at(self, close_time: int) -> int:
        """Row of a close time (UTC ns). Raises UnknownClose."""
        row = int(np.searchsorted(self.close_times, close_time))
        if row == len(self) or self.close_times[row] != close_time:
            raise UnknownClose(close_time)
        return row

    def closed(
        self, row: int, universe: str, timeframe: str, late: bool = False, open_time: int = 0
    ) -> ClosedBars:
        """The cross-section of one row, as views; the next one closes at the row after it."""
        values = {name: getattr(self, name)[row] for name in FIELDS}
        close_time = int(self.close_times[row])
        next_close = int(self.close_times[row + 1]) if row + 1 < len(self) else 0
        return ClosedBars(
            universe,
            timeframe,
            close_time,
            self.symbols,
            **values,
            late=late,
            open_time=open_time,
            next_close=next_close,
        )


def _declared_zone(column: Any) -> object:
    """The zone in a column's type: `.tz` in pandas, `.time_zone` in polars."""
    return getattr(column.dtype, "tz", None) or getattr(column.dtype, "time_zone", None)


def _check_panel(panel: Bars | ClosedBars, shape: tuple[int, ...]) -> None:
    if len(set(panel.symbols)) != len(panel.symbols):
        raise BadShape("symbols", "each symbol must be named once")
    for name in FIELDS:
        array = getattr(panel, name)
        if array.dtype != np.float64 or array.shape != shape:
            raise BadShape(
                name, f"it is {array.dtype} {array.shape}, but it must be float64 {shape}"
            )
        if not array.flags.c_contiguous:
            raise BadShape(name, "its memory must be C-contiguous")


def _check_increasing(close_times: Nanoseconds) -> None:
    if close_times.dtype != np.int64 or close_times.ndim != 1:
        raise BadShape("close_times", "they must be int64 nanoseconds in one dimension")
    wrong = np.flatnonzero(close_times[1:] <= close_times[:-1])
    if wrong.size:
        raise UnorderedCloses(int(close_times[wrong[0]]), int(close_times[wrong[0] + 1]))


def _check_lengths(rows: int, listed: list[str], values: dict[str, Values]) -> None:
    lengths = {"symbol": len(listed)} | {name: len(column) for name, column in values.items()}
    for name, length in lengths.items():
        if length != rows:
            raise BadShape(name, f"it has {length} rows, but timestamp has {rows}")


def _check_values(stamps: Nanoseconds, listed: list[str], values: dict[str, Values]) -> None:
    there = ~np.logical_and.reduce([np.isnan(column) for column in values.values()])
    for name in PRICES:
        column = values[name]
        for row in _first_where(there & ~((column > 0) & np.isfinite(column))):
            raise BadPrice(listed[row], int(stamps[row]), name, float(column[row]))
    volume = values["volume"]
    for row in _first_where(there & ~((volume >= 0) & np.isfinite(volume))):
        raise BadVolume(listed[row], int(stamps[row]), float(volume[row]))
    for name, other in ENCLOSED:
        value, bound = values[name], values[other]
        for row in _first_where(value < bound if name == "high" else value > bound):
            raise InconsistentRange(
                listed[row], int(stamps[row]), name, float(value[row]), other, float(bound[row])
            )


def _check_duplicates(
    places: Nanoseconds, close_times: Nanoseconds, symbols: tuple[str, ...]
) -> None:
    ordered = np.sort(places)
    for index in _first_where(ordered[1:] == ordered[:-1]):
        row, column = divmod(int(ordered[index]), len(symbols))
        raise DuplicateBar(symbols[column], int(close_times[row]))


def _first_where(wrong: npt.NDArray[np.bool_]) -> list[int]:
    """The first true position, or nothing."""
    return [int(index) for index in np.flatnonzero(wrong)[:1]]
