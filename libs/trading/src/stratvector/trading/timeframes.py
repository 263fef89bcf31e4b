"""Timeframes: "1D", "4H" (or "H4"), "30M", and how many nanoseconds they last."""

import re
from dataclasses import dataclass

from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

_UNITS = {
    "D": NANOSECONDS_PER_DAY,
    "H": NANOSECONDS_PER_DAY // 24,
    "M": NANOSECONDS_PER_DAY // 1_440,
}
_COUNT_FIRST = re.compile(r"([1-9]\d*)([DHM])")
_UNIT_FIRST = re.compile(r"([DHM])([1-9]\d*)")


class UnknownTimeframe(ValueError):
    """A text that names no timeframe that divides a day."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"timeframe {text!r} is unknown: write a number of minutes (M), hours (H) or days (D) "
            "that divides a day, such as 30M, 4H or 1D"
        )


@dataclass(frozen=True)
class Timeframe:
    """A bar's length. name : count, then unit, such as "4H"; nanoseconds divide a day evenly."""

    name: str
    nanoseconds: int

    @property
    def is_daily(self) -> bool:
        """Whether a bar is one whole session."""
        return self.nanoseconds == NANOSECONDS_PER_DAY


def timeframe(text: str) -> Timeframe:
    """The timeframe that a text names, in either order and case: "4H", "H4", "4h".

    One length has one name (the largest unit that fits): "240M" is "4H" and "24H" is "1D".
    Raises UnknownTimeframe.
    """
    cleaned = text.strip().upper()
    if match := _COUNT_FIRST.fullmatch(cleaned):
        count, unit = match.groups()
    elif match := _UNIT_FIRST.fullmatch(cleaned):
        unit, count = match.groups()
    else:
        raise UnknownTimeframe(text)
    length = int(count) * _UNITS[unit]
    if length > NANOSECONDS_PER_DAY or NANOSECONDS_PER_DAY % length:
        raise UnknownTimeframe(text)
    return next(
        Timeframe(f"{length // size}{letter}", length)
        for letter, size in _UNITS.items()
        if length % size == 0
    )
