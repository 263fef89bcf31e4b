"""Files of any dialect against an independent reading: the same bars, or one sentence."""

import csv
import gzip
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratvector.market import BadBars, Bars, read_bars
from stratvector.trading.bars import COLUMNS, FIELDS

Row = list[str]
Reading = dict[tuple[str, int], list[float]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000_000
EXAMPLES = 500
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# What stands in a cell that should hold something else.
ODD = st.sampled_from(
    ["", " ", "abc", "-1", "0", "inf", "1e999", "NaN", "null", "NA", "1_000", "1,5", "1.234,5", "$5",
     "0x10", "1e3", " 2 ", "١", "True", "9999-12-31", "0001-01-01", "2020-02-30",
     "99999999999999999999999", "1577998800", "-0.0", "5 5", '5"5', "\u200b", "A\tB", "é", "+3", "1."]
)  # fmt: skip
SYMBOLS = st.sampled_from(["A", "BTC-USD", "ON", "NO", "TRUE", "1E5", "NaN", "null", "NA", "007"])
PRICES = st.decimals("0.0001", "99999", places=4).map(lambda price: format(price, "f"))
VOLUMES = st.sampled_from(["0", "12", "3.5", "1e3", "18446744073709551615", "123456789012345678"])


@st.composite
def good_rows(draw: Any) -> list[Row]:
    """Rows with moments as whole seconds since 1970, and every rule obeyed but uniqueness."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        prices = sorted((draw(PRICES) for _ in range(4)), key=Decimal)
        second = 1_500_000_000 + 1_800 * draw(st.integers(0, 200))
        values = [prices[1], prices[3], prices[0], prices[2], draw(VOLUMES)]
        rows.append([str(second), draw(SYMBOLS), *values])
    return rows


def moment(row: Row) -> datetime:
    return EPOCH + timedelta(seconds=int(row[0]))


STAMPS: dict[str, tuple[Callable[[datetime], str], dict[str, str]]] = {
    "utc": (lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"), {}),
    "plain": (lambda time: time.strftime("%Y-%m-%d %H:%M"), {}),
    "fraction": (lambda time: time.strftime("%Y-%m-%d %H:%M:%S.000000001"), {}),
    "offset": (lambda time: (time + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"), {}),
    "integer": (lambda time: str((time - EPOCH) // timedelta(seconds=1) * SECOND), {}),
    "german": (lambda time: time.strftime("%d.%m.%Y %H:%M"), {"date_format": "%d.%m.%Y %H:%M"}),
}


@dataclass(frozen=True)
class Dialect:
    separator: str
    quoting: Any
    line_end: str
    encoding: str
    stamps: str
    heading: str
    extra: bool
    blank: bool
    suffix: str


DIALECTS = st.builds(
    Dialect,
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    stamps=st.sampled_from(sorted(STAMPS)),
    heading=st.sampled_from(["{}", " {} ", "upper"]),
    extra=st.booleans(),
    blank=st.booleans(),
    suffix=st.sampled_from([".csv", ".csv.gz"]),
)
FAULTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), ODD), max_size=1)


def written(rows: list[Row], dialect: Dialect) -> str:
    """The file's text, as Python's own writer makes it."""
    file = io.StringIO()
    writer = csv.writer(
        file, delimiter=dialect.separator, quoting=dialect.quoting, lineterminator=dialect.line_end
    )
    upper = dialect.heading == "upper"
    names = [n.upper() if upper else dialect.heading.format(n) for n in COLUMNS]
    writer.writerow((["note, of ours"] if dialect.extra else []) + names)
    for row in rows:
        if dialect.blank:
            file.write(dialect.line_end)
        writer.writerow((["x"] if dialect.extra else []) + row)
    return file.getvalue()


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
MISSING = ("", "nan", "null", "na", "n/a", "none")


def number(text: str) -> float | None:
    """The value of a cell, NaN for a missing one, None for what is no number."""
    plain = text.strip()
    if plain.lower() in MISSING:
        return float("nan")
    if not NUMBER.fullmatch(plain):
        return None
    return float(Decimal(plain))


def is_bar(values: list[float]) -> bool:
    opened, high, low, close, volume = values
    prices = all(0 < price < float("inf") for price in values[:4])
    return prices and low <= opened <= high and low <= close <= high and 0 <= volume < float("inf")


def independent(rows: list[Row], read_stamp: Callable[[str], int | None]) -> Reading | None:
    """What the rows say by the rules alone, cell by cell; None where they must be refused."""
    found: Reading = {}
    for row in rows:
        stamp, symbol = read_stamp(row[0].strip()), row[1].strip()
        values = [number(cell) for cell in row[2:]]
        if stamp is None or not symbol or not symbol.isprintable() or None in values:
            return None
        known = [value for value in values if value is not None]
        missing = [bool(np.isnan(value)) for value in known]
        if (any(missing) and not all(missing)) or (not any(missing) and not is_bar(known)):
            return None
        if (symbol, stamp) in found:
            return None
        found[symbol, stamp] = known
    return found or None


def stamp_reader(rows: list[Row], dialect: Dialect) -> Callable[[str], int | None]:
    """Times of this dialect: the generated ones by name, every other text is none."""
    write = STAMPS[dialect.stamps][0]
    extra = 1 if dialect.stamps == "fraction" else 0
    return {write(moment(row)): int(row[0]) * SECOND + extra for row in rows}.get


def panel(bars: Bars) -> Reading:
    return {
        (symbol, int(time)): [float(getattr(bars, name)[row, column]) for name in FIELDS]
        for column, symbol in enumerate(bars.symbols)
        for row, time in enumerate(bars.close_times)
    }


def agree(read: Callable[[], Bars], expected: Reading | None) -> None:
    """The same bars (the rest of the panel missing), or one sentence."""
    try:
        found = panel(read())
    except BadBars as error:
        assert expected is None, str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 2_000
        assert "polars" not in str(error)
        return
    assert expected is not None, found
    for key, values in found.items():
        wanted = expected.get(key, [float("nan")] * 5)
        np.testing.assert_array_equal(values, wanted)
    assert set(expected) <= set(found)


@fuzzed
@given(rows=good_rows(), dialect=DIALECTS, faults=FAULTS)
def test_a_csv_of_any_dialect_gives_the_bars_of_an_independent_reading_or_one_sentence(
    tmp_path_factory: Any, rows: list[Row], dialect: Dialect, faults: list[tuple[int, int, str]]
) -> None:
    write, options = STAMPS[dialect.stamps]
    cells = [[write(moment(row)), *row[1:]] for row in rows]
    for at, column, odd in faults:
        cells[at % len(cells)][column] = odd
    text = written(cells, dialect)
    path = tmp_path_factory.getbasetemp() / f"fuzz{dialect.suffix}"
    data = text.encode(dialect.encoding, errors="replace")
    path.write_bytes(gzip.compress(data, 1) if dialect.suffix == ".csv.gz" else data)
    if dialect.encoding == "latin-1" and any("é" in cell for row in cells for cell in row):
        expected = None  # a byte that is not UTF-8
    else:
        told = text.encode(dialect.encoding, errors="replace").decode(dialect.encoding)
        given_rows = list(csv.reader(io.StringIO(told, newline=""), delimiter=dialect.separator))
        body = [row[int(dialect.extra) :] for row in given_rows[1:] if any(row)]
        expected = independent(body, stamp_reader(rows, dialect))
    agree(lambda: read_bars(path, **options), expected)  # type: ignore[arg-type]


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
        if key in found or not is_bar(values):
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
}
TEXT_VALUES: dict[str, Callable[[str], float]] = {"text": float, "category": float}


def polars_stamps(rows: list[Row], kind: str) -> pl.Series:
    utc = pl.Series([moment(row) for row in rows], dtype=pl.Datetime("us", "UTC"))
    seconds = [int(row[0]) for row in rows]
    match kind:
        case "ns" | "us" | "ms":
            return utc.dt.replace_time_zone(None).dt.cast_time_unit(kind)  # type: ignore[arg-type]
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
