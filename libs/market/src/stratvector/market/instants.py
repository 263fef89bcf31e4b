"""Dates and times that a person writes, as UTC nanoseconds."""

from datetime import UTC, date, datetime, timedelta

from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, RANGE_RULE, is_in_range

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownInstant(ValueError):
    """A text that is neither a date nor a time, or one that no bar can have."""

    def __init__(self, text: str, rule: str = "") -> None:
        self.text = text
        told = rule or "is neither a date nor a time: write 2018-01-31 or 2018-01-31T16:00Z"
        super().__init__(f"{text!r} {told}")


def first_instant(text: str) -> int:
    """The first nanosecond of what a text names, UTC ns: of a date, its midnight.

    A time without a zone is UTC. Raises UnknownInstant.
    """
    return _parse(text)[0]


def last_instant(text: str) -> int:
    """The last close that what a text names still includes, UTC ns: of a date, the next midnight.

    A date as the end of a range thus includes the bar that closes when the day ends.
    """
    instant, is_date = _parse(text)
    return instant + NANOSECONDS_PER_DAY if is_date else instant


def _parse(text: str) -> tuple[int, bool]:
    instant, is_date = _unbounded(text)
    if not is_in_range(instant):
        raise UnknownInstant(text, f"is out of range: {RANGE_RULE}")
    return instant, is_date


def _unbounded(text: str) -> tuple[int, bool]:
    cleaned = text.strip()
    try:
        day = date.fromisoformat(cleaned)
    except ValueError:
        return _time(cleaned, text), False
    return (day - _EPOCH.date()).days * NANOSECONDS_PER_DAY, True


def _time(cleaned: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        raise UnknownInstant(text) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1_000
