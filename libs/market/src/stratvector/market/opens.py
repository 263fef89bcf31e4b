"""From a bar's open to its close, as the calendar says, or to nothing where no bar opens.

- On 24/7 a bar closes exactly one bar length after its open, on whatever grid its opens lie.
- In sessions, an open that the calendar knows closes when that bar does, also a last, shorter one.
- In sessions, a daily bar may also be named by its session's date: midnight in UTC, in the zone of
  the file or in the exchange's.
"""

import numpy as np

from stratvector.market.calendars import AlwaysOpen, Calendar, Sessions, calendar
from stratvector.market.judgement import Mask
from stratvector.market.read_options import ReadOptions
from stratvector.market.timeframes import Timeframe
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds


def closes_of(stamps: Nanoseconds, asked: Mask, options: ReadOptions) -> tuple[Nanoseconds, Mask]:
    """The closes of stamps (opens or closes, as the options say), and which of them are no such.

    asked : bool[n], which stamps to look at. Raises OutsideCalendar.
    """
    chosen, step = calendar(options.calendar_name), parse_timeframe(options.timeframe or "")
    closes, off = stamps.copy(), np.zeros(len(stamps), dtype=np.bool_)
    if not asked.any():
        return closes, off
    if options.times == "close":
        found, unknown = _known_closes(stamps[asked], chosen, step)
    elif isinstance(chosen, AlwaysOpen):
        found, unknown = stamps[asked] + step.nanoseconds, np.zeros(int(asked.sum()), np.bool_)
    else:
        found, unknown = _closes_in_sessions(stamps[asked], chosen, step, options.tz)
    closes[asked], off[asked] = found, unknown
    return closes, off


def _known_closes(
    stamps: Nanoseconds, chosen: Calendar, step: Timeframe
) -> tuple[Nanoseconds, Mask]:
    closes = chosen.closes(int(stamps.min()), int(stamps.max()), step.name)
    return stamps, ~np.isin(stamps, closes)


def _closes_in_sessions(
    opens: Nanoseconds, chosen: Calendar, step: Timeframe, zone: str | None
) -> tuple[Nanoseconds, Mask]:
    # A session that opens on one of these days closes at most two days later.
    first, last = int(opens.min()), int(opens.max()) + 2 * NANOSECONDS_PER_DAY
    times = chosen.times(first, last, step.name)
    closes, unknown = _looked_up(opens, times.opens, times.closes)
    if step.is_daily and isinstance(chosen, Sessions):
        sessions = chosen.sessions(first - 2 * NANOSECONDS_PER_DAY, last)
        for name in dict.fromkeys(("UTC", zone or "UTC", sessions.zone)):
            days = _midnights(opens[unknown], name)
            found, missed = _looked_up(days, sessions.dates, sessions.closes)
            rows = np.flatnonzero(unknown)[~missed]
            closes[rows], unknown[rows] = found[~missed], False
    return closes, unknown


def _looked_up(
    wanted: Nanoseconds, keys: Nanoseconds, values: Nanoseconds
) -> tuple[Nanoseconds, Mask]:
    """Values beside equal keys (increasing), and which of the wanted have none."""
    if not len(keys):
        return wanted.copy(), np.ones(len(wanted), dtype=np.bool_)
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return values[rows], keys[rows] != wanted


def _midnights(stamps: Nanoseconds, zone: str) -> Nanoseconds:
    """The date (days since 1970) whose midnight in a zone each stamp is, or `_NO_DATE`."""
    import polars as pl

    moments = pl.Series(stamps).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(zone)
    local = moments.dt.replace_time_zone(None).cast(pl.Int64).to_numpy()
    return np.where(local % NANOSECONDS_PER_DAY == 0, local // NANOSECONDS_PER_DAY, _NO_DATE)


_NO_DATE = np.iinfo(np.int64).min
