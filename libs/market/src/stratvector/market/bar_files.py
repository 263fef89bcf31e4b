"""Bars from a CSV or Parquet file of any dialect, with one clear sentence per kind of bad file.

BadBars (stratvector.trading.bad_bars)
└── BadFile              a file that cannot be read; `path` says which
    ├── FileMissing          there is no such file
    ├── UnknownFormat        the name ends neither in .csv nor in .parquet
    └── UnreadableFile       its bytes are not what its name promises
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from stratvector.market.calendars import ALWAYS_OPEN, calendar
from stratvector.trading.bad_bars import BadBars, EmptyBars, MissingColumn, NotUtcTime
from stratvector.trading.bars import COLUMNS, Bars
from stratvector.trading.columns import refuse_other_units
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text

if TYPE_CHECKING:
    import polars as pl


class BadFile(BadBars):
    """A file that cannot be read; `path` says which."""

    def __init__(self, path: Path, sentence: str) -> None:
        self.path = path
        super().__init__(f"{path}: {sentence}")


class FileMissing(BadFile):
    """There is no such file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "there is no such file")


class UnknownFormat(BadFile):
    """The name ends neither in .csv nor in .parquet."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "bars are read from .csv and .parquet files only")


class UnreadableFile(BadFile):
    """Its bytes are not what its name promises."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(path, f"this is not a readable {path.suffix[1:]} file: {reason}")


def read_bars(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    tz: str | None = None,
    date_format: str | None = None,
    times: Literal["close", "open"] = "close",
    timeframe: str | None = None,
    calendar_name: str = ALWAYS_OPEN,
) -> Bars:
    """Bars of a file with timestamp (UTC), symbol, open, high, low, close and volume.

    columns : our name → the file's name, for those that differ.
    tz : zone of timestamps that carry none, such as "America/New_York"; UTC without it.
    date_format : strftime pattern of the timestamps; ISO 8601 without it. Integers are ns.
    times : whether stamps are the bars' closes or opens. Opens need `timeframe`, and become the
        first close of the calendar after them, so that a session's date becomes its close.
    Raises BadFile and the other kinds of BadBars; ValueError for opens without timeframe.
    """
    if times == "open" and timeframe is None:
        raise ValueError('times="open" needs timeframe, because a bar is named by its close')
    source = Path(path)
    frame = _named(_read(source, columns or {}), columns or {})
    if not len(frame):
        raise EmptyBars
    stamps = _utc(frame["timestamp"], tz, date_format)
    if times == "open" and timeframe is not None:
        stamps = _closes_after(stamps, timeframe, calendar_name)
    values = (frame[name].to_numpy() for name in COLUMNS[1:])
    return Bars.from_columns(stamps, *values)


def _read(path: Path, columns: Mapping[str, str]) -> "pl.DataFrame":
    import polars as pl

    if path.suffix not in (".csv", ".parquet"):
        raise UnknownFormat(path)
    if not path.is_file():
        raise FileMissing(path)
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        # The whole file decides a column's type, and a symbol is text even when it looks otherwise.
        symbols = {columns.get("symbol", "symbol"): pl.String}
        frame = pl.read_csv(path, infer_schema_length=None, schema_overrides=symbols)
        return frame.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines
    except pl.exceptions.NoDataError:
        raise EmptyBars from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableFile(path, str(error).splitlines()[0].rstrip(".")) from error


def _named(frame: "pl.DataFrame", columns: Mapping[str, str]) -> "pl.DataFrame":
    """The seven columns under our names, in our order."""
    wanted = {name: columns.get(name, name) for name in COLUMNS}
    for theirs in wanted.values():
        if theirs not in frame.columns:
            raise MissingColumn(theirs, tuple(frame.columns))
    return frame.select([frame[theirs].alias(ours) for ours, theirs in wanted.items()])


def _utc(column: "pl.Series", tz: str | None, date_format: str | None) -> Nanoseconds:
    """UTC ns of a column of text, dates, datetimes or integers."""
    import polars as pl

    if column.null_count():
        raise NotUtcTime(None, "every row needs its close time")
    if column.dtype.is_integer() and date_format is None:
        stamps = column.cast(pl.Int64).to_numpy().astype(np.int64)
        refuse_other_units(stamps)
        return stamps
    if column.dtype == pl.String or date_format is not None:
        column = _parsed(column.cast(pl.String), date_format)
    if not column.dtype.is_temporal() or column.dtype == pl.Time:
        raise NotUtcTime(column[0], "give a date and time, or integer nanoseconds")
    moments = column.cast(pl.Datetime("ns", getattr(column.dtype, "time_zone", None)))
    return _placed(moments, tz).dt.epoch("ns").to_numpy().astype(np.int64)


def _placed(moments: "pl.Series", tz: str | None) -> "pl.Series":
    """Moments in UTC; those that carry no zone are in `tz`."""
    import polars as pl

    if getattr(moments.dtype, "time_zone", None) is None:
        try:
            moments = moments.dt.replace_time_zone(tz or "UTC")
        except pl.exceptions.PolarsError as error:
            raise NotUtcTime(f"in zone {tz}", str(error).splitlines()[0].rstrip(".")) from error
    return moments.dt.convert_time_zone("UTC")


_ISO_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
)


def _parsed(texts: "pl.Series", date_format: str | None) -> "pl.Series":
    """Text as moments, all of one format. The first text that does not fit is named."""
    import polars as pl

    plain = texts.str.strip_chars()
    if date_format is None:
        plain = plain.str.replace(r"\s*(?:Z|UTC)$", "+00:00").str.replace("T", " ")
    attempts = []
    for pattern in (date_format,) if date_format else _ISO_FORMATS:
        parsed = plain.str.to_datetime(pattern, time_unit="ns", strict=False)
        if not parsed.null_count():
            return parsed
        attempts.append(parsed)
    best = min(attempts, key=pl.Series.null_count)
    rule = f"it must read {date_format}" if date_format else "it must read like 2020-01-31T16:00Z"
    raise NotUtcTime(texts.filter(best.is_null())[0], f"{rule}, and all rows alike")


def _closes_after(opens: Nanoseconds, timeframe: str, calendar_name: str) -> Nanoseconds:
    """The first close after each open; a stamp more than a day before it belongs to no session."""
    chosen = calendar(calendar_name)
    last = int(opens.max()) + 2 * NANOSECONDS_PER_DAY
    closes = chosen.closes(int(opens.min()) + 1, last, timeframe)
    rows = np.searchsorted(closes, opens, side="right")
    found = np.append(closes, np.iinfo(np.int64).max)[rows]
    stray = np.flatnonzero(found - opens > NANOSECONDS_PER_DAY)
    if stray.size:
        raise NotUtcTime(
            utc_text(int(opens[stray[0]])), f"no {timeframe} bar of {calendar_name} opens then"
        )
    return found
