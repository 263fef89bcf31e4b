from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stratvector.market import Bars, read_bars
from stratvector.market.bar_sources import FileMissing, UnfitFile, UnknownFormat, UnreadableFile
from stratvector.market.reading_report import (
    BAD_PRICE,
    BAD_RANGE,
    BAD_SYMBOL,
    BAD_TIME,
    BAD_VOLUME,
    DUPLICATE,
    MISSING_VALUE,
    NOT_A_NUMBER,
    RAGGED,
    RefusedRows,
)
from stratvector.trading.bad_bars import MissingColumn
from stratvector.trading.timestamps import utc_text

HEADER = "timestamp,symbol,open,high,low,close,volume\n"


def csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "bars.csv"
    path.write_text(header + "\n".join(rows) + "\n")
    return path


def times(bars: Bars) -> list[str]:
    return [utc_text(time) for time in bars.close_times.tolist()]


def test_a_csv_file_becomes_a_panel(tmp_path: Path) -> None:
    bars = read_bars(
        csv(
            tmp_path,
            "2020-01-02T21:00:00Z,B,10,12,9,11,100",
            "2020-01-02T21:00:00Z,A,1,2,0.5,1.5,7",
            "2020-01-03T21:00:00Z,A,1.5,2,1,2,8",
        )
    )
    assert bars.symbols == ("A", "B")
    assert times(bars) == ["2020-01-02T21:00:00Z", "2020-01-03T21:00:00Z"]
    assert bars.close[0].tolist() == [1.5, 11.0]
    assert np.isnan(bars.close[1, 1])


def test_a_parquet_file_gives_the_same_bars_as_the_csv(tmp_path: Path) -> None:
    source = csv(tmp_path, "2020-01-02T21:00:00Z,A,1,2,0.5,1.5,7", "2020-01-03 21:00Z,A,1,2,1,2,8")
    source.write_text(source.read_text().replace("03 21:00Z", "03T21:00:00Z"))
    pl.read_csv(source, try_parse_dates=True).write_parquet(tmp_path / "bars.parquet")
    ours, theirs = read_bars(tmp_path / "bars.parquet"), read_bars(str(source))
    assert ours.close_times.tolist() == theirs.close_times.tolist()
    assert ours.open.tolist() == theirs.open.tolist()


@pytest.mark.parametrize(
    ("stamp", "options", "expected"),
    [
        ("2020-01-02 21:00:00", {}, "2020-01-02T21:00:00Z"),
        ("2020-01-02 21:00", {}, "2020-01-02T21:00:00Z"),
        ("2020-01-02", {}, "2020-01-02T00:00:00Z"),
        ("2020-01-02T21:00:00.123456789Z", {}, "2020-01-02T21:00:00.123456789Z"),
        ("2020-01-02T16:00:00-05:00", {}, "2020-01-02T21:00:00Z"),
        ("2020-01-02 21:00:00 UTC", {}, "2020-01-02T21:00:00Z"),
        ("1577998800000000000", {}, "2020-01-02T21:00:00Z"),
        ("2020-01-02 16:00", {"tz": "America/New_York"}, "2020-01-02T21:00:00Z"),
        ("2020-07-02 16:00", {"tz": "America/New_York"}, "2020-07-02T20:00:00Z"),
        ("2020-01-02T21:00Z", {"tz": "America/New_York"}, "2020-01-02T21:00:00Z"),
        ("02.01.2020 21:00", {"date_format": "%d.%m.%Y %H:%M"}, "2020-01-02T21:00:00Z"),
        ("20200102", {"date_format": "%Y%m%d"}, "2020-01-02T00:00:00Z"),
        ("2020-01-02 20:00", {"times": "open", "timeframe": "4H"}, "2020-01-03T00:00:00Z"),
        (
            "2020-07-02",
            {"times": "open", "timeframe": "1D", "calendar_name": "XNYS"},
            "2020-07-02T20:00:00Z",
        ),
        (
            "2020-07-02 13:30",
            {"times": "open", "timeframe": "1D", "calendar_name": "XNYS"},
            "2020-07-02T20:00:00Z",
        ),
    ],
)
def test_a_stamp_of_any_dialect_becomes_the_close_in_utc(
    tmp_path: Path, stamp: str, options: dict[str, Any], expected: str
) -> None:
    assert times(read_bars(csv(tmp_path, f"{stamp},A,1,2,1,2,3"), **options)) == [expected]


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "x,2020-01-02T21:00:00Z,007,1,2,1,2,3",
        header="extra,Date,ticker,Open,High,Low,Close,Vol\n",
    )
    named = {"timestamp": "Date", "symbol": "ticker", "open": "Open", "high": "High",
             "low": "Low", "close": "Close", "volume": "Vol"}  # fmt: skip
    assert read_bars(path, columns=named).symbols == ("007",)
    rule = r"bars.csv: column 'timestamp' is missing: .* columns=\{'timestamp': 'Date'\}"
    with pytest.raises(UnfitFile, match=rule) as error:
        read_bars(path)
    assert isinstance(error.value.cause, MissingColumn)


@pytest.mark.parametrize(
    ("row", "kind", "sentence"),
    [
        ("2020-01-02,A,1,2,1,2,3,4", RAGGED, "it has 8 fields, but the header has 7"),
        ("02/01/2020,A,1,2,1,2,3", BAD_TIME, "it must read like 2020-01-31T16:00Z"),
        (",A,1,2,1,2,3", BAD_TIME, "there is no timestamp"),
        ("1577998800,A,1,2,1,2,3", BAD_TIME, "integers are nanoseconds"),
        ("1577998800.5,A,1,2,1,2,3", BAD_TIME, "it must read like 2020-01-31T16:00Z"),
        ("2020-01-02,,1,2,1,2,3", BAD_SYMBOL, "symbol None is not a name"),
        ("2020-01-02,A,one,2,1,2,3", NOT_A_NUMBER, "open 'one' is not a number"),
        ("2020-01-02,A,0,2,0,2,3", BAD_PRICE, "A at 2020-01-02T00:00:00Z: open is 0.0"),
        ("2020-01-02,A,1,2,1,,3", MISSING_VALUE, "a missing bar has all five values missing"),
        ("2020-01-02,A,1,2,3,2,3", BAD_RANGE, "high must be at least low"),
        ("2020-01-02,A,1,2,1,2,-3", BAD_VOLUME, "volume is -3.0, but it must be finite"),
        ("2020-01-02,A,1,2,1,2,3\n2020-01-02,A,1,2,1,2,3", DUPLICATE, "there are two rows"),
    ],
)
def test_each_kind_of_bad_row_has_one_sentence(
    tmp_path: Path, row: str, kind: str, sentence: str
) -> None:
    with pytest.raises(RefusedRows, match=sentence) as error:
        read_bars(csv(tmp_path, row))
    (bad,) = error.value.report.bad
    assert (bad.kind, bad.count, bad.removed) == (kind, 1, False)
    assert "\n" not in str(error.value)


def test_a_clock_time_that_a_zone_skips_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "2020-03-08 02:30,A,1,2,1,2,3")
    with pytest.raises(RefusedRows, match="zone America/New_York skips or repeats this time"):
        read_bars(path, tz="America/New_York")


def test_an_open_on_no_session_and_an_open_without_a_timeframe_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "2020-07-04,A,1,2,1,2,3")
    with pytest.raises(RefusedRows, match="no 1D bar of XNYS opens then"):
        read_bars(path, times="open", timeframe="1D", calendar_name="XNYS")
    with pytest.raises(ValueError, match='times="open" needs timeframe'):
        read_bars(path, times="open")


def test_a_file_that_is_not_what_it_says_is_refused_by_path(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"none\.csv: there is no such file"):
        read_bars(tmp_path / "none.csv")
    with pytest.raises(UnknownFormat, match=r"from \.csv, \.csv\.gz and \.parquet files only"):
        read_bars(tmp_path / "bars.xlsx")
    broken = tmp_path / "bars.parquet"
    broken.write_bytes(b"not parquet at all")
    with pytest.raises(UnreadableFile, match="this is not a readable parquet file") as error:
        read_bars(broken)
    assert error.value.path == broken
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    for text in ("", "\n\n", HEADER, HEADER + "\n,,,,,,\n"):
        empty.write_text(text)
        with pytest.raises(UnfitFile, match=r"empty\.csv: there are no bars"):
            read_bars(empty)
