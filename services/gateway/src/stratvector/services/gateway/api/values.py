"""values: how times and figures are spelled in JSON.

Times are RFC 3339 texts in UTC with as many decimals as they need, down to nanoseconds. Money,
quantities and prices are decimal texts; weights, fractions and other figures are numbers, null
where they are not known.
"""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from stratvector.runtime.ledger_client import Range
from stratvector.services.gateway.event_bodies import decimal_text
from stratvector.trading.timestamps import (
    NANOSECONDS_PER_SECOND,
    RANGE_RULE,
    is_in_range,
    utc_text,
)

TIME = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.(?P<fraction>\d{1,9}))?(Z|\+00:00)"
)

Time = Annotated[str, Field(description="RFC 3339, UTC", examples=["2019-03-01T21:00:00Z"])]
Figure = Annotated[float | None, Field(description="null = not known")]
DateOrTime = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "description": "A date, or a time in UTC",
            "anyOf": [
                {"format": "date"},
                {"format": "date-time", "pattern": r"T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)$"},
            ],
            "examples": ["2019-03-01", "2019-03-01T21:00:00Z"],
        }
    ),
]
DecimalText = Annotated[
    Decimal,
    PlainSerializer(decimal_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["101.50"]}),
]


class Shape(BaseModel):
    """An answer: nothing but what it declares."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BadTime(ValueError):
    """A time that is none."""


def figure(value: float) -> float | None:
    """A number, or null for one that is none."""
    return value if math.isfinite(value) else None


def time_of(nanoseconds: int | None) -> str | None:
    """A time as text; None and 0 are none."""
    return utc_text(nanoseconds) if nanoseconds else None


def nanoseconds_of(text: str) -> int:
    """ns UTC of a time, or of a date at midnight. Raises BadTime."""
    whole = f"{text}T00:00:00Z" if len(text) == len("2019-03-01") else text
    match = TIME.fullmatch(whole)
    try:
        if match is None:
            raise ValueError
        second = datetime.fromisoformat(match["second"]).replace(tzinfo=UTC)
    except ValueError:
        raise BadTime(
            f"{text!r} is no time; write it as 2019-03-01 or 2019-03-01T21:00:00Z (UTC)"
        ) from None
    fraction = (match["fraction"] or "").ljust(9, "0")
    nanoseconds = int(second.timestamp()) * NANOSECONDS_PER_SECOND + int(fraction)
    if not is_in_range(nanoseconds):
        raise BadTime(f"{text!r} is out of range: {RANGE_RULE}")
    return nanoseconds


def closes(
    start: Annotated[DateOrTime | None, Query(description="first close, itself included")] = None,
    end: Annotated[DateOrTime | None, Query(description="last close, itself included")] = None,
) -> Range:
    """The range of closes that is asked for. Raises BadTime."""
    found = Range(
        None if start is None else nanoseconds_of(start),
        None if end is None else nanoseconds_of(end),
    )
    if found.start is not None and found.end is not None and found.start > found.end:
        raise BadTime(f"start is {start!r}; it must not be after end, {end!r}")
    return found
