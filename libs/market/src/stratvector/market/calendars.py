"""Calendars: when a universe's bars open and close.

"24/7" never shuts and anchors its bars at midnight UTC. Any name of the exchange-calendars package
("XNYS", "XTKS", …) has sessions: a daily bar is one session, early closes included; intraday bars
are counted from the session's open, and the last one ends with the session.
"""

import warnings
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text

ALWAYS_OPEN = "24/7"


class BadCalendar(ValueError):
    """A calendar that cannot answer.

    BadCalendar(ValueError)
    ├── UnknownCalendar        no calendar has this name
    └── OutsideCalendar        times that the calendar does not record
    """


class UnknownCalendar(BadCalendar):
    """No calendar has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"calendar {name!r} is unknown: use 24/7 or an exchange's code such as XNYS or XTKS"
        )


class OutsideCalendar(BadCalendar):
    """Times that the calendar does not record."""

    def __init__(self, name: str, start: int, end: int, reason: str) -> None:
        self.name, self.start, self.end, self.reason = name, start, end, reason
        super().__init__(
            f"calendar {name} cannot tell its sessions from {utc_text(start)} to {utc_text(end)}: "
            f"{reason}"
        )


@dataclass(frozen=True, eq=False)
class Times:
    """Opens and closes of the same bars, int64 UTC ns, shape (K,), closes strictly increasing.

    A bar covers open < t ≤ close; between a close and the next open lies no bar.
    """

    opens: Nanoseconds
    closes: Nanoseconds


class Calendar(ABC):
    """A universe's opening hours."""

    name: str

    @abstractmethod
    def times(self, start: int, end: int, timeframe: str) -> Times:
        """Bars whose close lies in start ≤ t ≤ end (UTC ns). Raises OutsideCalendar."""

    @abstractmethod
    def bars_per_day(self, timeframe: str) -> int:
        """Bars of an ordinary trading day: 1 when daily, 6 for 4H on 24/7, 2 for 4H on XNYS."""

    def closes(self, start: int, end: int, timeframe: str) -> Nanoseconds:
        """Close times in start ≤ t ≤ end, int64 UTC ns, shape (K,)."""
        return self.times(start, end, timeframe).closes

    def opens(self, start: int, end: int, timeframe: str) -> Nanoseconds:
        """Opens of the bars whose *close* lies in start ≤ t ≤ end, int64 UTC ns, shape (K,)."""
        return self.times(start, end, timeframe).opens


class AlwaysOpen(Calendar):
    """The calendar that never shuts: a bar opens when the one before it closes."""

    name = ALWAYS_OPEN

    def times(self, start: int, end: int, timeframe: str) -> Times:
        """Multiples of the timeframe since 1970-01-01T00:00Z."""
        step = parse_timeframe(timeframe).nanoseconds
        first, last = -(-start // step), end // step
        # Whole numbers of steps: arange would find its length in floats, which ns overflow.
        closes = np.arange(first, max(first, last + 1), dtype=np.int64) * step
        return Times(closes - step, closes)

    def bars_per_day(self, timeframe: str) -> int:
        """As many as fit into 24 hours."""
        return NANOSECONDS_PER_DAY // parse_timeframe(timeframe).nanoseconds


class Sessions(Calendar):
    """An exchange's sessions, as the exchange-calendars package records them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def times(self, start: int, end: int, timeframe: str) -> Times:
        """Whole sessions, or slices of them counted from each session's open."""
        step = parse_timeframe(timeframe)
        sessions = self._sessions(start, end)
        times = sessions if step.is_daily else _slices(sessions, step.nanoseconds)
        wanted = (times.closes >= start) & (times.closes <= end)
        return Times(times.opens[wanted], times.closes[wanted])

    def bars_per_day(self, timeframe: str) -> int:
        """As many as the most common session length of one year needs."""
        step = parse_timeframe(timeframe)
        year = self._sessions(_REFERENCE_YEAR[0], _REFERENCE_YEAR[1])
        lengths = Counter((year.closes - year.opens).tolist())
        return 1 if step.is_daily else -(-lengths.most_common(1)[0][0] // step.nanoseconds)

    def _sessions(self, start: int, end: int) -> Times:
        if end < start:
            empty = np.empty(0, dtype=np.int64)
            return Times(empty, empty)
        # A session may close a day after or before the date that names it.
        years = _year(start - 2 * NANOSECONDS_PER_DAY), _year(end + 2 * NANOSECONDS_PER_DAY)
        try:
            return _recorded_sessions(self.name, *years)
        except ValueError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise OutsideCalendar(self.name, start, end, reason) from error


_REFERENCE_YEAR = (17_897 * NANOSECONDS_PER_DAY, 18_261 * NANOSECONDS_PER_DAY)  # 2019


def calendar(name: str) -> Calendar:
    """The calendar of a name: "24/7" or an exchange's code. Raises UnknownCalendar."""
    if name == ALWAYS_OPEN:
        return AlwaysOpen()
    # Imported here: pandas costs half a second, which 24/7 need not pay.
    from exchange_calendars import get_calendar_names

    if name not in get_calendar_names(include_aliases=True):
        raise UnknownCalendar(name)
    return Sessions(name)


def _year(time: int) -> int:
    return int(np.datetime64(time, "ns").astype("datetime64[Y]").astype(np.int64)) + 1970


@cache
def _recorded_sessions(name: str, first_year: int, last_year: int) -> Times:
    """All sessions of whole years; without bounds the package would go by today's date."""
    from exchange_calendars import get_calendar

    with warnings.catch_warnings():
        # The package still calls pandas in ways that pandas' next major version will change.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        recorded = get_calendar(name, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    return Times(_nanoseconds(recorded.opens), _nanoseconds(recorded.closes))


def _nanoseconds(column: Any) -> Nanoseconds:
    return np.array(column.to_numpy(dtype="datetime64[ns]")).astype(np.int64)


def _slices(sessions: Times, step: int) -> Times:
    """Cut each session into bars of `step` ns from its open; the last one may be shorter."""
    counts = -(-(sessions.closes - sessions.opens) // step)
    session = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(session)) - np.repeat(np.cumsum(counts) - counts, counts)
    opens = sessions.opens[session] + position * step
    return Times(opens, np.minimum(opens + step, sessions.closes[session]))
