"""How a file of bars is to be read: everything that its bytes do not tell, checked once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stratvector.market.calendars import ALWAYS_OPEN, calendar
from stratvector.market.reading_report import DROPPABLE, DUPLICATE
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.bars import COLUMNS
from stratvector.trading.nearest import suggestion


class BadOption(ValueError):
    """An option of reading that nothing reads or that breaks a rule; one sentence."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The dialect of a file of bars, and the repairs that its reader asks for.

    columns : our name → the file's name, for those that differ.
    tz : zone of timestamps that carry none, such as "America/New_York"; UTC without it.
    date_format : strftime pattern of the timestamps; ISO 8601 without it. Integers are ns.
    times : whether stamps are the bars' closes or opens; opens need `timeframe`.
    timeframe, calendar_name : the bars' length and opening hours. With them a stamp that opens (or
        closes, as `times` says) no bar is a bad row.
    symbol : whose bars these are, for a file that names no symbol.
    drop : kinds of bad rows to leave out instead of refusing the file; see `reading_report`.
    keep : which of several rows of one symbol and time stays; None refuses them.

    Raises BadOption, UnknownTimeframe and UnknownCalendar.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tz: str | None = None
    date_format: str | None = None
    times: Literal["close", "open"] = "close"
    timeframe: str | None = None
    calendar_name: str = ALWAYS_OPEN
    symbol: str | None = None
    drop: tuple[str, ...] = ()
    keep: Literal["first", "last"] | None = None

    def __post_init__(self) -> None:
        self._check_types()
        self._check_columns()
        self._check_times()
        if self.tz is not None:
            _check_zone(self.tz)
        if self.symbol is not None and (not self.symbol.strip() or not self.symbol.isprintable()):
            raise BadOption(f"symbol={self.symbol!r} is not a name: it must be non-empty text")
        self._check_repairs()

    def _check_types(self) -> None:
        # What a type checker knows, a notebook does not.
        for option, (kind, told) in _TYPES.items():
            value = getattr(self, option)
            if not isinstance(value, kind):
                raise BadOption(f"{option}={value!r} must be {told}")

    def _check_columns(self) -> None:
        for ours, theirs in self.columns.items():
            if ours not in COLUMNS:
                raise BadOption(
                    f"columns has the key {ours!r}, which nothing reads: "
                    f"{suggestion(str(ours), COLUMNS)}"
                )
            if not str(theirs).strip():
                raise BadOption(f"columns[{ours!r}] is {theirs!r}; it must name a column")
        if self.symbol is not None and "symbol" in self.columns:
            raise BadOption("symbol= and columns['symbol'] both name the symbol: give one of them")

    def _check_times(self) -> None:
        _check_choice("times", self.times, ("close", "open"))
        if self.timeframe is not None:
            parse_timeframe(self.timeframe)
            calendar(self.calendar_name)
        elif self.times == "open":
            raise BadOption('times="open" needs timeframe, because a bar is named by its close')
        elif self.calendar_name != ALWAYS_OPEN:
            raise BadOption(f"calendar_name={self.calendar_name!r} needs timeframe to be read")
        pattern = self.date_format
        if pattern is not None and ("%" not in pattern or re.search(r"(?<!\.)%f", pattern)):
            raise BadOption(
                f"date_format={pattern!r} is no pattern: write one such as %d.%m.%Y %H:%M:%S.%f"
            )

    def _check_repairs(self) -> None:
        for kind in self.drop:
            if kind == DUPLICATE:
                raise BadOption('duplicates are not dropped: say keep="first" or keep="last"')
            _check_choice("drop", kind, DROPPABLE)
        if self.keep is not None:
            _check_choice("keep", self.keep, ("first", "last"))


_TEXT: tuple[Any, str] = (str | None, "text")
_TYPES: dict[str, tuple[Any, str]] = {
    "columns": (Mapping, "a table of our name → the file's"),
    "tz": _TEXT,
    "date_format": _TEXT,
    "timeframe": _TEXT,
    "calendar_name": (str, "text"),
    "symbol": _TEXT,
    "drop": (tuple, "a tuple of kinds"),
}


def _check_choice(option: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadOption(f"{option}={value!r} is unknown: {suggestion(str(value), known)}")


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadOption(
            f"tz={name!r} is unknown: use a name of the time zone database such as America/New_York"
        ) from None
