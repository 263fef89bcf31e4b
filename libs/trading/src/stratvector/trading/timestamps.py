"""Event times: int64 nanoseconds since 1970-01-01T00:00Z, from the source to the tear sheet."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Nanoseconds: TypeAlias = npt.NDArray[np.int64]

NANOSECONDS_PER_SECOND = 1_000_000_000
NANOSECONDS_PER_DAY = 86_400 * NANOSECONDS_PER_SECOND

# No bar is older than the tape, and int64 ends in 2262: what lies outside is a date that stands for
# "none" (0001-01-01, 9999-12-31), a number of another unit, or what such a number wrapped to.
FIRST_YEAR, END_YEAR = 1850, 2200
EARLIEST = int(np.datetime64(f"{FIRST_YEAR}", "ns").astype(np.int64))
LATEST = int(np.datetime64(f"{END_YEAR}", "ns").astype(np.int64)) - 1
RANGE_RULE = f"times lie within the years {FIRST_YEAR} to {END_YEAR - 1}"


def is_in_range(nanoseconds: int) -> bool:
    """Whether a time (ns UTC, any size) can be that of a bar."""
    return EARLIEST <= nanoseconds <= LATEST


def utc_text(nanoseconds: int) -> str:
    """ISO 8601 text of a UTC time in ns, with as many decimals as it needs."""
    whole, fraction = divmod(int(nanoseconds), NANOSECONDS_PER_SECOND)
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{np.datetime64(whole, 's')}{decimals}Z"


def day_numbers(close_times: Nanoseconds) -> Nanoseconds:
    """UTC dates of times in ns, as whole days since 1970-01-01; midnight opens the new day."""
    return close_times // NANOSECONDS_PER_DAY
