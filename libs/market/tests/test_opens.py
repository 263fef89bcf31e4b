"""From open stamps to closes: the calendar's, one bar length later, or refused."""

from pathlib import Path
from typing import Any

import pytest

from stratvector.market import read_bars
from stratvector.market.reading_report import OFF_SCHEDULE, RefusedRows
from stratvector.trading.timestamps import utc_text


def read(folder: Path, stamp: str, **options: Any) -> str:
    path = folder / "bars.csv"
    path.write_text(f"timestamp,symbol,open,high,low,close,volume\n{stamp},A,1,2,1,2,3\n")
    return utc_text(int(read_bars(path, **options).close_times[0]))


@pytest.mark.parametrize(
    ("stamp", "timeframe", "calendar", "zone", "close"),
    [
        # 24/7: one bar length later, on whatever grid the opens lie.
        ("2020-01-01T00:00Z", "1D", "24/7", None, "2020-01-02T00:00:00Z"),
        ("2020-01-01T22:00Z", "1D", "24/7", None, "2020-01-02T22:00:00Z"),
        ("2020-01-01T22:00Z", "4H", "24/7", None, "2020-01-02T02:00:00Z"),
        ("2020-01-01T20:00Z", "4H", "24/7", None, "2020-01-02T00:00:00Z"),
        # Sessions: the bar that opens then, a shorter last one too.
        ("2020-07-02T13:30Z", "4H", "XNYS", None, "2020-07-02T17:30:00Z"),
        ("2020-07-02T17:30Z", "4H", "XNYS", None, "2020-07-02T20:00:00Z"),
        ("2019-07-03T13:30Z", "4H", "XNYS", None, "2019-07-03T17:00:00Z"),
        ("2020-07-02 09:30", "30M", "XNYS", "America/New_York", "2020-07-02T14:00:00Z"),
        ("2019-07-02T02:00Z", "1H", "XTKS", None, "2019-07-02T02:30:00Z"),
        # A daily bar: its open, or its session's date at a midnight in UTC, the file's zone or the
        # exchange's.
        ("2019-07-03T13:30Z", "1D", "XNYS", None, "2019-07-03T17:00:00Z"),
        ("2019-07-03", "1D", "XNYS", None, "2019-07-03T17:00:00Z"),
        ("2019-07-03", "1D", "XNYS", "America/New_York", "2019-07-03T17:00:00Z"),
        ("2019-07-03T04:00Z", "1D", "XNYS", None, "2019-07-03T17:00:00Z"),
        ("2019-07-03", "1D", "XNYS", "Europe/Berlin", "2019-07-03T17:00:00Z"),
        ("2020-01-06", "1D", "XASX", None, "2020-01-06T05:00:00Z"),
        ("2020-01-06", "1D", "CMES", None, "2020-01-06T23:00:00Z"),
    ],
)
def test_an_open_closes_when_its_bar_does(
    tmp_path: Path, stamp: str, timeframe: str, calendar: str, zone: str | None, close: str
) -> None:
    options = {"times": "open", "timeframe": timeframe, "calendar_name": calendar, "tz": zone}
    assert read(tmp_path, stamp, **options) == close


@pytest.mark.parametrize(
    ("stamp", "timeframe", "calendar"),
    [
        ("2020-07-02T21:00Z", "30M", "XNYS"),  # after hours
        ("2020-07-02T12:00Z", "4H", "XNYS"),  # a grid of the clock, not of the session
        ("2020-07-02T20:00Z", "30M", "XNYS"),  # the close
        ("2019-07-03T17:00Z", "30M", "XNYS"),  # an early close
        ("2020-07-04", "1D", "XNYS"),  # a holiday
        ("2020-07-05", "1D", "XNYS"),  # a Sunday
        ("2020-07-02T22:00Z", "1D", "XNYS"),
        ("2020-07-02", "30M", "XNYS"),  # a date names no intraday bar
        ("2019-07-02T03:00Z", "30M", "XTKS"),  # lunch
        ("2019-07-02T02:30Z", "30M", "XTKS"),
    ],
)
def test_an_open_that_is_none_of_the_sessions_is_refused_and_never_moved(
    tmp_path: Path, stamp: str, timeframe: str, calendar: str
) -> None:
    rule = f"no {timeframe} bar of {calendar} opens then"
    with pytest.raises(RefusedRows, match=rule) as error:
        read(tmp_path, stamp, times="open", timeframe=timeframe, calendar_name=calendar)
    assert [bad.kind for bad in error.value.report.bad] == [OFF_SCHEDULE]


def test_a_close_is_checked_against_the_timeframe_and_calendar_that_are_given(
    tmp_path: Path,
) -> None:
    options = {"timeframe": "4H", "calendar_name": "XNYS"}
    assert read(tmp_path, "2020-07-02T17:30Z", **options) == "2020-07-02T17:30:00Z"
    with pytest.raises(RefusedRows, match="no 4H bar of XNYS closes then"):
        read(tmp_path, "2020-07-02T17:00Z", **options)
