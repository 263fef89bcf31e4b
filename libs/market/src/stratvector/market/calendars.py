"""Calendars: when a universe's bars open and close.

"24/7" never shuts and anchors its bars at midnight UTC. Any name of the exchange-calendars package
("XNYS", "XTKS", …) has sessions: a daily bar is one session, early closes included; intraday bars
are counted from the session's open and anew from the end of its break (the lunch of XTKS and XHKG),
and the last one of each part ends with it.
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


_NO_TIMES: Nanoseconds = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class SessionTimes(Times):
    """An exchange's sessions. dates : the date that names each, days since 1970, int64[K].

    parts : the sessions cut at their breaks; one part where there is none.
    zone : the exchange's time zone.
    """

    dates: Nanoseconds
    parts: Times
    zone: str


_NO_SESSIONS = SessionTimes(
    _NO_TIMES, _NO_TIMES, dates=_NO_TIMES, parts=Times(_NO_TIMES, _NO_TIMES), zone="UTC"
)


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
        """Whole sessions, or slices of their parts counted from each part's open."""
        step = parse_timeframe(timeframe)
        recorded = self.sessions(start, end)
        times = recorded if step.is_daily else _slices(recorded.parts, step.nanoseconds)
        wanted = (times.closes >= start) & (times.closes <= end)
        return Times(times.opens[wanted], times.closes[wanted])

    def bars_per_day(self, timeframe: str) -> int:
        """As many as the sessions of one year most often have."""
        bars = self.times(_REFERENCE_YEAR[0], _REFERENCE_YEAR[1], timeframe)
        year = self.sessions(_REFERENCE_YEAR[0], _REFERENCE_YEAR[1])
        sessions = np.searchsorted(year.closes, bars.closes)
        counts = Counter(np.unique(sessions, return_counts=True)[1].tolist())
        return int(counts.most_common(1)[0][0])

    def sessions(self, start: int, end: int) -> "SessionTimes":
        """The sessions of all years that start ≤ t ≤ end touches. Raises OutsideCalendar."""
        if end < start:
            return _NO_SESSIONS
        # A session may close a day after or before the date that names it.
        years = _year(start - 2 * NANOSECONDS_PER_DAY), _year(end + 2 * NANOSECONDS_PER_DAY)
        try:
            return _recorded_sessions(self.name, *years)
        except ValueError:
            raise OutsideCalendar(self.name, start, end, _UNRECORDED) from None


_UNRECORDED = "its holidays are not recorded for all of these years"
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
def _recorded_sessions(name: str, first_year: int, last_year: int) -> SessionTimes:
    """All sessions of whole years; without bounds the package would go by today's date."""
    from exchange_calendars import get_calendar

    with warnings.catch_warnings():
        # The package still calls pandas in ways that pandas' next major version will change.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        recorded = get_calendar(name, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    sessions = Times(_nanoseconds(recorded.opens), _nanoseconds(recorded.closes))
    dates = _nanoseconds(recorded.opens.index.to_series()) // NANOSECONDS_PER_DAY
    breaks = _nanoseconds(recorded.break_starts), _nanoseconds(recorded.break_ends)
    parts = _parts(sessions, *breaks)
    return SessionTimes(sessions.opens, sessions.closes, dates, parts, str(recorded.tz))


def _nanoseconds(column: Any) -> Nanoseconds:
    return np.array(column.to_numpy(dtype="datetime64[ns]")).astype(np.int64)


def _parts(sessions: Times, starts: Nanoseconds, ends: Nanoseconds) -> Times:
    """Sessions cut at their breaks; a break that is not a time (NaT) cuts nothing."""
    cut = (starts > sessions.opens) & (ends > starts) & (ends < sessions.closes)
    opens = np.sort(np.concatenate([sessions.opens, ends[cut]]))
    return Times(opens, np.sort(np.concatenate([sessions.closes, starts[cut]])))


def _slices(parts: Times, step: int) -> Times:
    """Cut each part into bars of `step` ns from its open; the last one may be shorter."""
    counts = -(-(parts.closes - parts.opens) // step)
    part = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts)
    opens = parts.opens[part] + position * step
    return Times(opens, np.minimum(opens + step, parts.closes[part]))
