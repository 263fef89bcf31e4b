"""Timestamps of any dialect as UTC nanoseconds: text, dates, datetimes and integers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from stratvector.market.judgement import Judgement, Mask
from stratvector.market.read_options import BadOption, ReadOptions
from stratvector.market.reading_report import BAD_TIME
from stratvector.trading.bad_bars import BadShape, NotUtcTime
from stratvector.trading.columns import ALONE_RULE, UNIT_DOUBT, UNIT_RULE, stray_1970
from stratvector.trading.timestamps import (
    EARLIEST,
    END_YEAR,
    FIRST_YEAR,
    LATEST,
    NANOSECONDS_PER_DAY,
    RANGE_RULE,
    Nanoseconds,
    utc_text,
)

if TYPE_CHECKING:
    import polars as pl

_ISO_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
)
_UNIT_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "D": NANOSECONDS_PER_DAY}
_MORE_THAN_MICROSECONDS = r"[.,]\d{7}"


def utc_stamps(column: "pl.Series", options: ReadOptions, judgement: Judgement) -> Nanoseconds:
    """UTC ns of a column, int64[n], 0 where the judgement refuses the row.

    Raises BadShape for a column whose type holds no times.
    """
    import polars as pl

    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    judgement.refuse(BAD_TIME, column.is_null().to_numpy(), lambda row: "there is no timestamp")
    if options.date_format is not None:
        return _by_format(column, options, judgement)
    if kind == pl.String:
        return _of_text(column, options, judgement)
    if kind.is_integer():
        return _of_integers(column, judgement)
    if kind == pl.Null:
        return np.zeros(len(column), dtype=np.int64)
    if kind not in (pl.Datetime, pl.Date):
        raise BadShape(
            "timestamp",
            f"it is a column of {kind.base_type()}: give dates and times, or integer nanoseconds",
        )
    return _of_moments(column, options.tz, judgement, _as_it_stands(column))


def _as_it_stands(column: "pl.Series") -> Callable[[int], str]:
    """A moment as text by way of numpy, whose years never end; polars' and Python's do."""
    import polars as pl

    unit = _unit(column)
    counts = column.cast(pl.Int64)
    return lambda row: str(NotUtcTime(str(np.datetime64(counts[row], unit)), ""))


def _unit(column: "pl.Series") -> Literal["ns", "us", "ms", "D"]:
    unit: Literal["ns", "us", "ms", "D"] = getattr(column.dtype, "time_unit", "D")
    return unit


def _by_format(column: "pl.Series", options: ReadOptions, judgement: Judgement) -> Nanoseconds:
    import polars as pl

    if column.dtype != pl.String and not column.dtype.is_integer():
        raise BadOption(
            f"date_format={options.date_format!r} is for text, and the column's type is "
            f"{column.dtype.base_type()}"
        )
    return _of_text(column.cast(pl.String), options, judgement)


def _of_text(texts: "pl.Series", options: ReadOptions, judgement: Judgement) -> Nanoseconds:
    plain = texts.str.strip_chars()
    # Python's fraction of a second, as polars writes it.
    pattern = options.date_format and options.date_format.replace(".%f", "%.f")
    if pattern is None and _are_integers(plain):
        return _of_integers(plain, judgement)
    moments = _parsed(plain, pattern)
    example = options.date_format or "like 2020-01-31T16:00Z"
    rule = f"it must read {example}, and all rows alike"
    told = _told(texts)
    judgement.refuse(
        BAD_TIME,
        moments.is_null().to_numpy(),
        lambda row: told(row) + rule,
    )
    return _of_moments(moments, options.tz, judgement, told)


def _told(texts: "pl.Series") -> Callable[[int], str]:
    return lambda row: str(NotUtcTime(texts[row], ""))


def _are_integers(plain: "pl.Series") -> bool:
    there = plain.drop_nulls()
    return len(there) > 0 and bool(there.str.contains(r"^[+-]?\d+$").all())


def _of_integers(column: "pl.Series", judgement: Judgement) -> Nanoseconds:
    """Integers or their text. What int64 does not hold is null after the cast, and refused."""
    import polars as pl

    told = _told(column)
    stamps = column.cast(pl.Int64, strict=False)
    outside = (stamps.is_null() | (stamps < EARLIEST) | (stamps > LATEST)).fill_null(True)
    judgement.refuse(
        BAD_TIME, outside.to_numpy(), lambda row: told(row) + f"integers are ns, and {RANGE_RULE}"
    )
    found = stamps.fill_null(0).to_numpy().astype(np.int64)
    judgement.refuse(BAD_TIME, np.abs(found) < UNIT_DOUBT, lambda row: told(row) + UNIT_RULE)
    return np.where(judgement.fine, found, 0)


def _of_moments(
    column: "pl.Series", zone: str | None, judgement: Judgement, told: Callable[[int], str]
) -> Nanoseconds:
    """Dates or datetimes of any unit, in UTC; those that carry no zone are in `zone`."""
    import polars as pl

    # Counts of the column's own unit: polars' calendar ends where a damaged file may go on.
    count = column.cast(pl.Int64)
    length = _UNIT_NANOSECONDS[_unit(column)]
    is_outside = (count < -(-EARLIEST // length)) | (count > LATEST // length)
    outside: Mask = is_outside.fill_null(True).to_numpy()
    judgement.refuse(BAD_TIME, outside, lambda row: told(row) + RANGE_RULE)
    inside = column.set(pl.Series(outside), None) if outside.any() else column
    carried = getattr(inside.dtype, "time_zone", None)
    placed = inside.cast(pl.Datetime("ns", carried))
    if carried is None:
        placed = placed.dt.replace_time_zone(zone or "UTC", ambiguous="null", non_existent="null")
        judgement.refuse(
            BAD_TIME,
            placed.is_null().to_numpy(),
            lambda row: told(row) + f"zone {zone} skips or repeats this time",
        )
    stamps = placed.dt.epoch("ns").fill_null(0).to_numpy().astype(np.int64)
    _refuse_strays(stamps, judgement)
    return np.where(judgement.fine, stamps, 0)


def _refuse_strays(stamps: Nanoseconds, judgement: Judgement) -> None:
    strays: Mask = np.zeros(len(stamps), dtype=np.bool_)
    strays[judgement.fine] = stray_1970(stamps[judgement.fine])
    judgement.refuse(
        BAD_TIME, strays, lambda row: str(NotUtcTime(utc_text(int(stamps[row])), ALONE_RULE))
    )


def _parsed(plain: "pl.Series", pattern: str | None) -> "pl.Series":
    """Text as moments, all of the one format that most rows have; null where it does not fit."""
    import polars as pl

    if pattern is not None:
        return _moments(plain, pattern)
    iso = plain.str.replace(r"\s*(?:Z|UTC)$", "+00:00").str.replace("T", " ")
    attempts = []
    for each in _ISO_FORMATS:
        parsed = _moments(iso, each)
        if parsed.null_count() == plain.null_count():
            return parsed
        attempts.append(parsed)
    return min(attempts, key=pl.Series.null_count)


def _moments(texts: "pl.Series", pattern: str) -> "pl.Series":
    """Parsed to the microsecond, which holds every year, or to the ns where the digits ask."""
    import polars as pl

    try:
        coarse = texts.str.to_datetime(pattern, time_unit="us", strict=False)
        fine = texts.str.contains(_MORE_THAN_MICROSECONDS).fill_null(False)
        if not fine.any():
            return coarse
        years = coarse.dt.year()
        is_held = ((years >= FIRST_YEAR) & (years < END_YEAR)).fill_null(False)
        if not is_held.all():
            texts = texts.set(~is_held, None)
        return texts.str.to_datetime(pattern, time_unit="ns", strict=False)
    except pl.exceptions.PolarsError:
        raise BadOption(
            f"date_format={pattern!r} is no pattern of a date, or of a date and time"
        ) from None
