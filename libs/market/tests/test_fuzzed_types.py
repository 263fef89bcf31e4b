"""Parquet files and frames of any types: what the types hold, or one sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market import Bars, read_bars
from stratvector.trading.bars import FIELDS
from tests.readings import SECOND, Reading, Row, agree, fuzzed, good_rows, is_bar, moment


def rows_by_rules(rows: list[Row], kinds: "Kinds", is_frame: bool) -> Reading | None:
    """What typed columns say; None where a type holds no times, names or numbers."""
    if kinds.stamp not in (FRAME_STAMPS if is_frame else GOOD_STAMPS):
        return None
    if kinds.symbol not in GOOD_SYMBOLS:
        return None
    value_of = GOOD_VALUES | ({} if is_frame else TEXT_VALUES)
    if kinds.price not in value_of or kinds.volume not in value_of:
        return None
    found: Reading = {}
    for row in rows:
        values = [value_of[kinds.price](cell) for cell in row[2:6]]
        values.append(value_of[kinds.volume](row[6]))
        key = row[1], int(row[0]) * SECOND
        is_missing = bool(np.isnan(values).all())
        if key in found or not (is_missing or is_bar(values)):
            return None
        found[key] = values
    return found


@dataclass(frozen=True)
class Kinds:
    stamp: str
    symbol: str
    price: str
    volume: str


def whole(cell: str) -> float:
    return float(int(Decimal(cell)))


GOOD_STAMPS = {"ns", "us", "ms", "utc", "york", "int", "uint", "text"}
FRAME_STAMPS = GOOD_STAMPS - {"york", "text"}
GOOD_SYMBOLS = {"text", "category", "enum"}
GOOD_VALUES: dict[str, Callable[[str], float]] = {
    "double": float,
    "single": lambda cell: float(np.float32(float(cell))),
    "decimal": lambda cell: float(Decimal(cell)),
    "int": whole,
    "uint": whole,
    "null": lambda cell: float("nan"),
}
TEXT_VALUES: dict[str, Callable[[str], float]] = {"text": float, "category": float}


def polars_stamps(rows: list[Row], kind: str) -> pl.Series:
    utc = pl.Series([moment(row) for row in rows], dtype=pl.Datetime("us", "UTC"))
    seconds = [int(row[0]) for row in rows]
    match kind:
        case "ns" | "us" | "ms":
            return utc.dt.replace_time_zone(None).dt.cast_time_unit(kind)
        case "utc":
            return utc
        case "york":
            return utc.dt.convert_time_zone("America/New_York")
        case "int" | "uint":
            dtype = pl.Int64 if kind == "int" else pl.UInt64
            return pl.Series([second * SECOND for second in seconds], dtype=dtype)
        case "text":
            return utc.dt.to_string("%Y-%m-%dT%H:%M:%SZ")
        case "seconds":
            return pl.Series(seconds)
        case "mixed":
            return pl.Series([SECOND * seconds[0], *seconds])[: len(rows)].extend_constant(7, 1)[1:]
        case "far":
            return pl.Series([10**15] * len(rows)).cast(pl.Datetime("ms"))
        case _:
            return odd_column(kind, len(rows))


def odd_column(kind: str, length: int) -> pl.Series:
    one: Any = {
        "duration": timedelta(seconds=1),
        "struct": {"a": 1},
        "list": [1.0],
        "bytes": b"1",
        "bool": True,
        "null": None,
        "time": datetime(2020, 1, 1, 12, tzinfo=UTC).time(),
        "huge": 1e300,
    }[kind]
    return pl.Series([one] * length)


ODD_COLUMNS = ("duration", "struct", "list", "bytes", "bool", "null", "time")


def polars_symbols(rows: list[Row], kind: str) -> pl.Series:
    symbols = pl.Series([row[1] for row in rows])
    match kind:
        case "text":
            return symbols
        case "category":
            return symbols.cast(pl.Categorical)
        case "enum":
            return symbols.cast(pl.Enum(symbols.unique().sort()))
        case "int":
            return pl.Series(range(len(rows)))
        case _:
            return odd_column(kind, len(rows))


def polars_values(cells: list[str], kind: str) -> pl.Series:
    match kind:
        case "double":
            return pl.Series([float(cell) for cell in cells])
        case "single":
            return pl.Series([float(cell) for cell in cells], dtype=pl.Float32)
        case "decimal":
            return pl.Series([Decimal(cell) for cell in cells], dtype=pl.Decimal(38, 6))
        case "int" | "uint":
            dtype = pl.Int128 if kind == "int" else pl.UInt64
            return pl.Series([int(Decimal(cell)) for cell in cells], dtype=dtype)
        case "text":
            return pl.Series(cells)
        case "category":
            return pl.Series(cells).cast(pl.Categorical)
        case _:
            return odd_column(kind, len(cells))


def polars_frame(rows: list[Row], kinds: Kinds) -> pl.DataFrame:
    columns = {
        "timestamp": polars_stamps(rows, kinds.stamp),
        "symbol": polars_symbols(rows, kinds.symbol),
    }
    for at, name in enumerate(FIELDS, start=2):
        kind = kinds.volume if name == "volume" else kinds.price
        columns[name] = polars_values([row[at] for row in rows], kind)
    return pl.DataFrame(columns)


STAMP_KINDS = (*sorted(GOOD_STAMPS), "seconds", "mixed", "far", *ODD_COLUMNS)
VALUE_KINDS = (*GOOD_VALUES, *TEXT_VALUES, *ODD_COLUMNS)


def mostly(good: Any, all_kinds: Any) -> st.SearchStrategy[str]:
    """One of the good kinds three times out of four, so that most tables are readable."""
    return st.one_of(*[st.sampled_from(sorted(good))] * 3, st.sampled_from(list(all_kinds)))


KINDS = st.builds(
    Kinds,
    stamp=mostly(FRAME_STAMPS, STAMP_KINDS),
    symbol=mostly(GOOD_SYMBOLS, ("int", *ODD_COLUMNS)),
    price=mostly(GOOD_VALUES, VALUE_KINDS),
    volume=mostly(GOOD_VALUES, VALUE_KINDS),
)


@fuzzed
@given(rows=good_rows(), kinds=KINDS)
def test_a_parquet_file_of_any_types_gives_the_bars_of_an_independent_reading_or_one_sentence(
    tmp_path_factory: Any, rows: list[Row], kinds: Kinds
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.parquet"
    polars_frame(rows, kinds).write_parquet(path)
    agree(lambda: read_bars(path), rows_by_rules(rows, kinds, is_frame=False))


@fuzzed
@given(rows=good_rows(), kinds=KINDS)
def test_a_polars_frame_of_any_types_gives_the_bars_of_an_independent_reading_or_one_sentence(
    rows: list[Row], kinds: Kinds
) -> None:
    frame = polars_frame(rows, kinds)
    agree(lambda: Bars.from_frame(frame), rows_by_rules(rows, kinds, is_frame=True))


def pandas_stamps(rows: list[Row], kind: str) -> Any:
    utc = pd.DatetimeIndex([moment(row) for row in rows])
    match kind:
        case "ns" | "us" | "ms":
            return utc.tz_localize(None).as_unit(kind)
        case "utc":
            return utc
        case "york":
            return utc.tz_convert("America/New_York")
        case "text":
            return utc.astype(str)
        case "far":
            return np.full(len(rows), 10**15).astype("datetime64[ms]")
        case "int" | "uint" | "seconds" | "mixed":
            return polars_stamps(rows, kind).to_numpy()
        case _:
            return polars_stamps(rows, kind).to_list()


def pandas_values(cells: list[str], kind: str) -> Any:
    match kind:
        case "decimal":
            return [Decimal(cell) for cell in cells]
        case "int":  # Python's own integers, of any size
            return [int(Decimal(cell)) for cell in cells]
        case "category":
            return pd.Categorical(cells)
        case "double" | "single" | "uint":
            return polars_values(cells, kind).to_numpy()
        case _:
            return polars_values(cells, kind).to_list()


@fuzzed
@given(rows=good_rows(), kinds=KINDS)
def test_a_pandas_frame_of_any_types_gives_the_bars_of_an_independent_reading_or_one_sentence(
    rows: list[Row], kinds: Kinds
) -> None:
    symbols = polars_symbols(rows, kinds.symbol).to_list()
    columns = {
        "timestamp": pandas_stamps(rows, kinds.stamp),
        "symbol": pd.Categorical(symbols) if kinds.symbol == "category" else symbols,
    }
    for at, name in enumerate(FIELDS, start=2):
        kind = kinds.volume if name == "volume" else kinds.price
        columns[name] = pandas_values([row[at] for row in rows], kind)
    frame = pd.DataFrame(columns)
    agree(lambda: Bars.from_frame(frame), rows_by_rules(rows, kinds, is_frame=True))
