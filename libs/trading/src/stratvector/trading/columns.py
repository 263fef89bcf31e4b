"""From any column of a frame to the plain array that bars are made of, or one clear refusal."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stratvector.trading.bad_bars import BadSymbol, NotNumeric, NotUtcTime
from stratvector.trading.timestamps import Nanoseconds

Values: TypeAlias = npt.NDArray[np.float64]

# Seconds, milli- or microseconds taken for nanoseconds land in the first weeks of 1970.
EARLIEST_PLAUSIBLE = 10_000_000_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Zulu", "+00:00", "UTC+00:00", "tzutc()"})


def times(values: npt.ArrayLike, zone: object = None) -> Nanoseconds:
    """UTC nanoseconds of a column of timestamps.

    values : datetime64 of any unit (taken as UTC), integers (ns), or aware UTC datetimes.
    zone : the time zone that the column's type declares, None when it declares none.
    Raises NotUtcTime for text, floats, missing times, naive datetimes and zones other than UTC.
    """
    array = np.asarray(values)
    if zone is not None and str(zone) not in _UTC_NAMES:
        raise NotUtcTime(str(zone), "the column's zone must be UTC, so convert it first")
    match array.dtype.kind:
        case "M":
            return _from_datetime64(array)
        case "i" | "u":
            return array.astype(np.int64)
        case "O":
            return np.array([_from_datetime(value) for value in array.tolist()], dtype=np.int64)
        case _:
            raise NotUtcTime(_first(array), _TIME_RULE)


def refuse_other_units(close_times: Nanoseconds) -> None:
    """Refuse integer times that can only be seconds, milliseconds or microseconds."""
    if close_times.size and 0 < close_times.max() < EARLIEST_PLAUSIBLE:
        raise NotUtcTime(
            int(close_times.max()), "integers are nanoseconds, and this would be early in 1970"
        )


def numbers(values: npt.ArrayLike, column: str) -> Values:
    """float64 values of a column; None becomes NaN, text and booleans raise NotNumeric."""
    array = np.asarray(values)
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    if array.dtype.kind == "O":
        return np.array([_number(value, column) for value in array.tolist()], dtype=np.float64)
    raise NotNumeric(column, _first(array))


def names(values: npt.ArrayLike) -> list[str]:
    """Symbols of a column as text; anything but non-empty text raises BadSymbol."""
    listed: Sequence[Any] = np.asarray(values).tolist()
    for value in set(listed):
        if not isinstance(value, str) or not value.strip():
            raise BadSymbol(value)
    return list(listed)


_ROW_RULE = "every row needs its close time"
_TIME_RULE = "give datetime64 in UTC, integer nanoseconds or datetimes that know their zone"


def _from_datetime64(array: npt.NDArray[Any]) -> Nanoseconds:
    missing = np.isnat(array)
    if missing.any():
        raise NotUtcTime("NaT", _ROW_RULE)
    return array.astype("datetime64[ns]").astype(np.int64)


def _from_datetime(value: object) -> int:
    if value is None or value != value:
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
    return microseconds * 1_000 + int(getattr(value, "nanosecond", 0))


def _number(value: object, column: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, np.number)):
        raise NotNumeric(column, value)
    return float(value)


def _first(array: npt.NDArray[Any]) -> object:
    return array.flat[0].item() if array.size else "(none)"
