import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stratvector.market import BadBars, Bars, read_bars
from stratvector.market.bar_files import read_bars_reported
from stratvector.market.bar_sources import (
    BadFile,
    FileMissing,
    UnfitFile,
    UnknownFormat,
    UnreadableFile,
)
from stratvector.market.read_options import ReadOptions
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


def gzipped(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


ONE_SYMBOL = "timestamp,open,high,low,close,volume\n"
ONE_ROW = "2020-01-02,1,2,1,2,3"


def test_a_compressed_file_a_folder_and_a_pattern_give_the_bars_of_their_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "daily").mkdir()
    for name in ("AAA", "BBB"):
        path = csv(tmp_path / "daily", ONE_ROW, header=ONE_SYMBOL)
        path.rename(path.with_name(f"{name}_1D.csv"))
    (tmp_path / "daily" / "README.txt").write_text("not bars")
    pattern = read_bars(tmp_path / "daily" / "{symbol}_1D.csv")
    assert pattern.symbols == ("AAA", "BBB")
    assert pattern.close.tolist() == [[2.0, 2.0]]
    assert read_bars(tmp_path / "daily").symbols == ("AAA_1D", "BBB_1D")
    packed = gzipped(csv(tmp_path, ONE_ROW, header=ONE_SYMBOL))
    assert read_bars(packed, symbol="ON").symbols == ("ON",)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{symbol}_4H.csv", "no file has a name of this pattern"),
        ("{sym}.csv", r"there is no such file; did you mean \{symbol\} by \{sym\}"),
        ("{symbol}{symbol}.csv", r"\{symbol\} may stand in the path once"),
        ("x.parquet", r"the folder holds no \.csv, \.csv\.gz, \.parquet file"),
        ("bars.csv.gz", "it is not compressed with gzip"),
        ("cut.csv.gz", "it is cut short or damaged"),
        ("latin.csv", "row 2 holds bytes that are not UTF-8: save it as UTF-8"),
        ("nul.csv", "row 2 holds a NUL byte, so it is no text"),
        ("quote.csv", "the quotes of row 2 do not enclose whole fields"),
        ("cut.parquet", "it is cut short, damaged or something else"),
        ("nobody.csv", "column 'symbol' is missing: .* is read with symbol="),
        ("adjusted.csv", r"close could be any of 'Close', 'Adj Close': say which, as in columns="),
        ("twice.csv", "column 'close' is there 2 times"),
        ("cases.csv", "close could be any of 'Close', 'close'"),
        ("spaces.csv", "'A' is not a name: it differs from ' A' in spaces alone"),
    ],
)
def test_a_path_or_file_that_gives_no_bars_is_refused_in_one_sentence(
    tmp_path: Path, name: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.parquet").mkdir()
    pl.DataFrame({"timestamp": [1]}).write_parquet(tmp_path / "cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    row = "2020-01-02,A,1,2,1,2,3"
    for file, data in {
        "bars.csv.gz": HEADER.encode(),
        "cut.csv.gz": gzip.compress(HEADER.encode() * 99)[:-9],
        "latin.csv": HEADER.encode() + "2020-01-02,é,1,2,1,2,3".encode("latin-1"),
        "nul.csv": HEADER.encode() + b"2020-01-02,\0,1,2,1,2,3",
        "quote.csv": f'{HEADER}"{row}\n{row}'.encode(),
        "cut.parquet": whole[: len(whole) // 2],
        "nobody.csv": f"{ONE_SYMBOL}{ONE_ROW}".encode(),
        "adjusted.csv": HEADER.replace("close", "Close,Adj Close").encode() + b"2020-01-02",
        "twice.csv": HEADER.replace("close", "close,close").encode() + b"2020-01-02",
        "cases.csv": HEADER.replace("close", "close,Close").encode() + b"2020-01-02",
        "spaces.csv": f"{HEADER}{row}\n{row.replace('A', ' A')}".encode(),
    }.items():
        (tmp_path / file).write_bytes(data)
    with pytest.raises(BadFile, match=sentence) as error:
        read_bars(tmp_path / name)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_damaged_parquet_file_is_one_sentence_and_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, random = tmp_path / "bars.parquet", np.random.default_rng(5)
    rows = {"timestamp": np.arange(99) * 86_400_000_000_000 + 10**18, "symbol": ["A"] * 99}
    prices = {name: random.uniform(5, 6, 99) for name in ("open", "close", "volume")}
    pl.DataFrame({**rows, "high": [9.0] * 99, "low": [1.0] * 99, **prices}).write_parquet(path)
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    refused = 0
    for place in random.integers(0, len(data), 120):
        path.write_bytes(
            np.concatenate([data[:place], data[place : place + 1] ^ 8, data[place + 1 :]])
        )
        try:
            read_bars(path)
        except BadBars:
            refused += 1
    assert refused > 15
    assert capfd.readouterr().err == ""


def test_all_kinds_of_bad_rows_are_named_at_once_with_counts_and_first_examples(
    tmp_path: Path,
) -> None:
    path = csv(
        tmp_path,
        "2020-01-02,A,1,2,1,2,3",
        "2020-01-02,A,1,3,1,2,3",
        "yesterday,A,1,2,1,2,3",
        "",
        "2020-01-03,A,-1,2,1,2,3",
        "2020-01-04,A,-7,2,1,2,3",
        "2020-01-05,A,-1,,,,x",
        "2020-01-06,B,1,2,1,2,3",
    )
    with pytest.raises(RefusedRows) as error:
        read_bars(path)
    report = error.value.report
    assert [(bad.kind, bad.count) for bad in report.bad] == [
        (BAD_TIME, 1),
        (NOT_A_NUMBER, 1),
        (BAD_PRICE, 2),
        (DUPLICATE, 1),
    ]
    assert [example.row for example in report.bad[2].examples] == [6, 7]
    assert "2 rows with a price that is not finite and above 0 (bars.csv row 6:" in str(error.value)
    repairs = ReadOptions(drop=(BAD_TIME, NOT_A_NUMBER, BAD_PRICE), keep="last")
    bars, told = read_bars_reported(path, repairs)
    assert bars.high[0].tolist()[0] == 3.0
    assert bars.symbols == ("A", "B")
    assert (told.rows, told.removed) == (7, 5)
    assert told.sentences()[0].endswith("were left out.")
    first = read_bars(path, drop=(BAD_TIME, NOT_A_NUMBER, BAD_PRICE), keep="first")
    assert first.high[0].tolist()[0] == 2.0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"columns": {"clos": "Close"}}, "'clos', which nothing reads: did you mean close"),
        ({"columns": {"close": "Clse"}}, r"column 'Clse' is missing: .* did you mean close\?"),
        ({"times": "opened", "timeframe": "1D"}, "times='opened' is unknown: did you mean open"),
        ({"drop": ("bad_prices",)}, "drop='bad_prices' is unknown: did you mean bad_price"),
        ({"drop": ("duplicate",)}, 'say keep="first" or keep="last"'),
        ({"drop": "bad_price"}, "drop='bad_price' must be a tuple of kinds"),
        ({"keep": "newest"}, "keep='newest' is unknown: there are first, last"),
        ({"tz": "Mars/Olympus"}, "tz='Mars/Olympus' is unknown"),
        ({"date_format": "YYYY"}, "date_format='YYYY' is no pattern"),
        ({"date_format": "%Y-%m-%d %H"}, "date_format='%Y-%m-%d %H' is no pattern"),
        ({"calendar_name": "XNYS"}, "calendar_name='XNYS' needs timeframe"),
        ({"symbol": " "}, "symbol=' ' is not a name"),
        ({"symbol": "A"}, "the file has a column of symbols, so nothing reads symbol="),
        ({"tz": 5}, "tz=5 must be text"),
    ],
)
def test_an_option_that_nothing_reads_is_refused_with_the_nearest_that_something_does(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_bars(csv(tmp_path, "2020-01-02,A,1,2,1,2,3"), **options)


@pytest.mark.parametrize(("unit", "per_day"), [("ms", 86_400_000), ("us", 86_400_000_000)])
def test_a_moment_out_of_range_is_refused_instead_of_wrapped(
    tmp_path: Path, unit: Any, per_day: int
) -> None:
    path, good = tmp_path / "bars.parquet", 18_000 * per_day
    frame = pl.read_csv(csv(tmp_path, "2020-01-02,A,1,2,1,2,3", "2020-01-03,A,1,2,1,2,3"))
    for stray in (good + 200 * 366 * per_day, good - 200 * 366 * per_day, 2**62, -(2**62), 0):
        moments = pl.Series("timestamp", [good, stray]).cast(pl.Datetime(unit))
        frame.with_columns(moments).write_parquet(path)
        with pytest.raises(RefusedRows, match="1 row with a timestamp that is no time"):
            read_bars(path)


def test_a_date_or_number_that_can_be_no_bars_time_is_refused_by_name(tmp_path: Path) -> None:
    for text in ("9999-12-31", "0001-01-01", "1970-01-01"):
        with pytest.raises(RefusedRows, match=f"1 row with a timestamp .* '{text}"):
            read_bars(csv(tmp_path, "2024-01-02,A,1,2,1,2,3", f"{text},A,1,2,1,2,3"))
    assert len(read_bars(csv(tmp_path, "1969-12-31,A,1,2,1,2,3", "1970-01-02,A,1,2,1,2,3"))) == 2
    for numbers in (("1577998800000000000", "1577998800000"), ("1577998800", "1577998800000")):
        with pytest.raises(RefusedRows, match="integers are nanoseconds"):
            read_bars(csv(tmp_path, *(f"{number},A,1,2,1,2,3" for number in numbers)))
