"""One file's rows as numbers, times and symbols, each judged by the rules that bars obey."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stratvector.market.bar_stamps import utc_stamps
from stratvector.market.judgement import Judgement
from stratvector.market.opens import closes_of
from stratvector.market.read_options import ReadOptions
from stratvector.market.reading_report import (
    BAD_PRICE,
    BAD_RANGE,
    BAD_SYMBOL,
    BAD_VOLUME,
    MISSING_VALUE,
    NOT_A_NUMBER,
    OFF_SCHEDULE,
)
from stratvector.trading.bad_bars import (
    BadBar,
    BadPrice,
    BadShape,
    BadSymbol,
    BadVolume,
    InconsistentRange,
    NotNumeric,
)
from stratvector.trading.bars import ENCLOSED, FIELDS, PRICES
from stratvector.trading.columns import Values, names
from stratvector.trading.timestamps import Nanoseconds

if TYPE_CHECKING:
    import polars as pl

# How a missing value is written, in lower case.
_MISSING = ("", "nan", "null", "na", "n/a", "none")


@dataclass(frozen=True, eq=False)
class BarRows:
    """The rows of a file, one bar each. stamps : closes, ns UTC. values : by field, NaN missing."""

    stamps: Nanoseconds
    symbols: "pl.Series"
    values: dict[str, Values]


def judged_rows(table: "pl.DataFrame", options: ReadOptions, judgement: Judgement) -> BarRows:
    """All rows of a table with our seven columns; `judgement.fine` says which of them are bars.

    Raises BadShape for a column whose type holds no such thing, and BadSymbol for two names that
    differ in spaces alone.
    """
    stamps = utc_stamps(table["timestamp"], options, judgement)
    symbols = _symbols(table["symbol"], judgement)
    values = {name: _numbers(table[name], judgement) for name in FIELDS}
    place = _Place(symbols, stamps)
    _judge_values(values, place, judgement)
    if options.timeframe is not None:
        stamps = _closes(stamps, place, options, judgement)
    return BarRows(stamps, symbols, values)


@dataclass(frozen=True, eq=False)
class _Place:
    """Symbol and time of a row, which its sentences begin with."""

    symbols: "pl.Series"
    stamps: Nanoseconds

    def __call__(self, row: int) -> tuple[str, int]:
        return str(self.symbols[row]), int(self.stamps[row])


def _symbols(column: "pl.Series", judgement: Judgement) -> "pl.Series":
    """Names without the spaces around them; two that differ in those alone raise BadSymbol."""
    import polars as pl

    if column.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise BadShape("symbol", f"it is a column of {column.dtype.base_type()}, not of text")
    texts = column.cast(pl.String)
    known = texts.unique().drop_nulls().to_list()
    unfit = [name for name in known if not name.strip() or not name.strip().isprintable()]
    names([name for name in known if name not in unfit])
    wrong = texts.is_null() | texts.is_in(unfit)
    judgement.refuse(BAD_SYMBOL, wrong.to_numpy(), lambda row: str(BadSymbol(texts[row])))
    trimmed = {name: name.strip() for name in known if name != name.strip()}
    return texts.replace(trimmed) if trimmed else texts


def _numbers(column: "pl.Series", judgement: Judgement) -> Values:
    import polars as pl

    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _numbers_of_text(column.cast(pl.String), judgement)
    if column.dtype == pl.Decimal:
        # By way of text, which rounds once: 38 digits do not fit into a double on the way.
        column = column.cast(pl.String)
    elif not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise BadShape(column.name, f"it is a column of {column.dtype.base_type()}, not of numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _numbers_of_text(texts: "pl.Series", judgement: Judgement) -> Values:
    """Numbers with a decimal point, and no other sign between digits; NaN where none is given."""
    import polars as pl

    found = texts.cast(pl.Float64, strict=False)
    if (found.is_null() | found.is_nan()).any():
        plain = texts.str.strip_chars()
        is_missing = texts.is_null() | plain.str.to_lowercase().is_in(_MISSING)
        found = plain.cast(pl.Float64, strict=False)
        wrong = ~is_missing & (found.is_null() | found.is_nan())
        name = texts.name
        judgement.refuse(
            NOT_A_NUMBER, wrong.to_numpy(), lambda row: str(NotNumeric(name, texts[row]))
        )
    return found.fill_null(np.nan).to_numpy()


def _judge_values(values: dict[str, Values], place: _Place, judgement: Judgement) -> None:
    missing = np.array([np.isnan(column) for column in values.values()])
    there = ~missing.all(axis=0)
    for name, absent in zip(FIELDS, missing, strict=True):
        judgement.refuse(MISSING_VALUE, there & absent, _part_missing(name, place))
    for name in PRICES:
        wrong = there & ~((values[name] > 0) & np.isfinite(values[name]))
        judgement.refuse(BAD_PRICE, wrong, _price(name, values[name], place))
    volume = values["volume"]
    judgement.refuse(
        BAD_VOLUME,
        there & ~((volume >= 0) & np.isfinite(volume)),
        lambda row: str(BadVolume(*place(row), float(volume[row]))),
    )
    for name, other in ENCLOSED:
        value, bound = values[name], values[other]
        wrong = value < bound if name == "high" else value > bound
        judgement.refuse(BAD_RANGE, wrong, _range(name, value, other, bound, place))


def _part_missing(name: str, place: _Place) -> Callable[[int], str]:
    rule = f"{name} is missing, but a missing bar has all five values missing"
    return lambda row: str(BadBar(*place(row), rule))


def _price(name: str, value: Values, place: _Place) -> Callable[[int], str]:
    return lambda row: str(BadPrice(*place(row), name, float(value[row])))


def _range(
    name: str, value: Values, other: str, bound: Values, place: _Place
) -> Callable[[int], str]:
    return lambda row: str(
        InconsistentRange(*place(row), name, float(value[row]), other, float(bound[row]))
    )


def _closes(
    stamps: Nanoseconds, place: _Place, options: ReadOptions, judgement: Judgement
) -> Nanoseconds:
    closes, off = closes_of(stamps, judgement.fine, options)
    verb = "opens" if options.times == "open" else "closes"
    rule = f"no {options.timeframe} bar of {options.calendar_name} {verb} then"
    judgement.refuse(OFF_SCHEDULE, off, lambda row: str(BadBar(*place(row), rule)))
    return closes
