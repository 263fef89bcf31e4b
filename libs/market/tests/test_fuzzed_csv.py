"""CSV files of any dialect against an independent reading: the same bars, or one sentence."""

import csv
import gzip
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market import read_bars
from stratvector.trading.bars import COLUMNS
from tests.readings import EPOCH, SECOND, Reading, Row, agree, fuzzed, good_rows, is_bar, moment

# What stands in a cell that should hold something else.
ODD = st.sampled_from(
    ["", " ", "abc", "-1", "0", "inf", "1e999", "NaN", "null", "NA", "1_000", "1,5", "1.234,5",
     "$5", "0x10", "1e3", " 2 ", "١", "True", "9999-12-31", "0001-01-01", "2020-02-30",
     "99999999999999999999999", "1577998800", "-0.0", "5 5", '5"5', "\u200b", "A\tB", "é",
     "+3", "1."]
)  # fmt: skip
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
