"""From any column of a frame to the plain array that bars are made of, or one clear refusal."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stratvector.trading.bad_bars import BadShape, BadSymbol, NotNumeric, NotUtcTime
from stratvector.trading.timestamps import (
    EARLIEST,
    END_YEAR,
    FIRST_YEAR,
    LATEST,
    RANGE_RULE,
    Nanoseconds,
    is_in_range,
    utc_text,
)

Values: TypeAlias = npt.NDArray[np.float64]

# Seconds, milli- or microseconds taken for nanoseconds land in the first weeks of 1970.
UNIT_DOUBT = 10_000_000_000_000_000
UNIT_RULE = "integers are nanoseconds, and this would be early in 1970"
ALONE_RULE = "it lies in early 1970, far from every other row, as a number of another unit would"
_YEAR = 366 * 86_400 * 1_000_000_000
_MINUTE = 60 * 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Zulu", "+00:00", "UTC+00:00", "tzutc()"})


def times(values: npt.ArrayLike, zone: object = None) -> Nanoseconds:
    """UTC nanoseconds of a column of timestamps.

    values : datetime64 of any unit (taken as UTC), integers (ns), or aware UTC datetimes.
    zone : the time zone that the column's type declares, None when it declares none.
    Raises NotUtcTime for text, floats, missing times, naive datetimes, zones other than UTC, times
    outside the years 1850 to 2199, and numbers that can only be of another unit.
    """
    array = _one_dimension(values, "timestamp")
    if zone is not None and str(zone) not in _UTC_NAMES:
        raise NotUtcTime(str(zone), "the column's zone must be UTC, so convert it first")
    match array.dtype.kind:
        case "M":
            stamps = _from_datetime64(array)
        case "i" | "u":
            return _from_integers(array)
        case "O":
            stamps = np.array([_from_datetime(one) for one in array.tolist()], dtype=np.int64)
        case _:
            raise NotUtcTime(_first(array), _TIME_RULE)
    for row in np.flatnonzero(stray_1970(stamps))[:1]:
        raise NotUtcTime(utc_text(int(stamps[row])), ALONE_RULE)
    return stamps


def stray_1970(stamps: Nanoseconds) -> npt.NDArray[np.bool_]:
    """Times in the first weeks of 1970 that other units would explain better, a mask.

    They are believed when bars of the year around stand beside them or, if there are no others,
    when all of them fall on whole minutes, which other units' numbers do not.
    """
    inside = np.abs(stamps) < UNIT_DOUBT
    if not inside.any():
        return inside
    others = stamps[~inside]
    if others.size:
        is_believed = int(np.abs(others).min()) < UNIT_DOUBT + _YEAR
    else:
        is_believed = not (stamps % _MINUTE).any()
    return np.zeros_like(inside) if is_believed else inside


def array(column: Any) -> npt.NDArray[Any]:
    """A frame's column as an array, object by object where its library has no array for it."""
    try:
        return np.asarray(column.to_numpy())
    except Exception:  # noqa: BLE001 -- each frame library has errors of its own
        values = np.empty(len(column), dtype=object)
        values[:] = list(column)
        return values


def numbers(values: npt.ArrayLike, column: str) -> Values:
    """float64 values of a column; None becomes NaN, text and booleans raise NotNumeric."""
    array = _one_dimension(values, column)
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    if array.dtype.kind == "O":
        return np.array([_number(value, column) for value in array.tolist()], dtype=np.float64)
    raise NotNumeric(column, _first(array))


def names(values: npt.ArrayLike) -> list[str]:
    """Symbols of a column without the spaces around them; two that differ in those alone, and
    anything but non-empty printable text, raise BadSymbol.
    """
    listed: Sequence[Any] = _one_dimension(values, "symbol").tolist()
    for kind in set(map(type, listed)) - {str}:
        for value in listed:
            if type(value) is kind and not isinstance(value, str):
                raise BadSymbol(value)
    known: dict[str, str] = {}
    for name in sorted(set(listed)):
        trimmed = name.strip()
        if not trimmed or not trimmed.isprintable():
            raise BadSymbol(name)
        if known.setdefault(trimmed, name) != name:
            raise BadSymbol(name, f"it differs from {known[trimmed]!r} in spaces alone")
    if all(name == trimmed for trimmed, name in known.items()):
        return list(listed)
    return [name.strip() for name in listed]


_ROW_RULE = "every row needs its close time"
_TIME_RULE = "give datetime64 in UTC, integer nanoseconds or datetimes that know their zone"


def _one_dimension(values: npt.ArrayLike, column: str) -> npt.NDArray[Any]:
    if np.ma.isMaskedArray(values):
        raise BadShape(column, "it is a masked array: fill what is masked first")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise BadShape(column, "it must be one plain column") from None
    if array.ndim != 1:
        raise BadShape(column, f"it has {array.ndim} dimensions, but it must have one")
    return array


def _from_datetime64(array: npt.NDArray[Any]) -> Nanoseconds:
    if np.isnat(array).any():
        raise NotUtcTime("NaT", _ROW_RULE)
    # Whole years of any unit fit into int64; the array's own unit may not fit into ns.
    years = array.astype("datetime64[Y]").astype(np.int64) + 1970
    for row in np.flatnonzero((years < FIRST_YEAR) | (years >= END_YEAR))[:1]:
        raise NotUtcTime(str(array[row]), RANGE_RULE)
    return array.astype("datetime64[ns]").astype(np.int64)


def _from_integers(array: npt.NDArray[Any]) -> Nanoseconds:
    for row in np.flatnonzero((array < EARLIEST) | (array > LATEST))[:1]:
        raise NotUtcTime(int(array[row]), f"integers are nanoseconds, and {RANGE_RULE}")
    stamps = array.astype(np.int64)
    for row in np.flatnonzero(np.abs(stamps) < UNIT_DOUBT)[:1]:
        raise NotUtcTime(int(stamps[row]), UNIT_RULE)
    return stamps


def _from_datetime(value: object) -> int:
    if _is_missing(value):
        raise NotUtcTime("NaT", _ROW_RULE)
    if not isinstance(value, datetime):
        raise NotUtcTime(value, _TIME_RULE)
    offset = value.utcoffset()
    if offset is None:
        raise NotUtcTime(value.isoformat(), "it has no zone")
    if offset:
        raise NotUtcTime(value.isoformat(), "its zone must be UTC, so convert it first")
    microseconds = (value - _EPOCH) // timedelta(microseconds=1)
    # pandas' Timestamp is a datetime with three more digits.
    nanoseconds = microseconds * 1_000 + int(getattr(value, "nanosecond", 0))
    if not is_in_range(nanoseconds):
        raise NotUtcTime(value.isoformat(), RANGE_RULE)
    return nanoseconds


def _number(value: object, column: str) -> float:
    if isinstance(value, bool):
        raise NotNumeric(column, value)
    if isinstance(value, (int, float, Decimal, np.integer, np.floating)):
        try:
            return float(value)
        except (OverflowError, InvalidOperation, ValueError):
            raise NotNumeric(column, value) from None
    if _is_missing(value):
        return np.nan
    raise NotNumeric(column, value)


def _is_missing(value: object) -> bool:
    """None, NaN, NaT, and pandas' NA, whose comparisons have no truth value."""
    is_nat = isinstance(value, datetime) and value != value
    return is_nat or value is None or value is _pandas_na()


def _pandas_na() -> object:
    return getattr(sys.modules.get("pandas"), "NA", None)


def _first(array: npt.NDArray[Any]) -> object:
    return array.flat[0].item() if array.size else "(none)"
