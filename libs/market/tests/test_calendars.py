import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market.calendars import OutsideCalendar, UnknownCalendar, calendar
from stratvector.market.instants import first_instant, last_instant
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, utc_text


def closes(name: str, start: str, end: str, timeframe: str) -> list[str]:
    times = calendar(name).closes(first_instant(start), last_instant(end), timeframe)
    return [utc_text(time) for time in times.tolist()]


def test_a_daily_bar_of_an_exchange_closes_with_its_session_early_closes_included() -> None:
    assert closes("XNYS", "2019-07-02", "2019-07-05", "1D") == [
        "2019-07-02T20:00:00Z",
        "2019-07-03T17:00:00Z",
        "2019-07-05T20:00:00Z",
    ]


def test_session_closes_follow_daylight_saving_time() -> None:
    assert closes("XNYS", "2019-03-08", "2019-03-11", "1D") == [
        "2019-03-08T21:00:00Z",
        "2019-03-11T20:00:00Z",
    ]


def test_intraday_bars_of_an_exchange_count_from_the_open_and_end_with_the_session() -> None:
    assert closes("XNYS", "2019-07-02", "2019-07-03", "H4") == [
        "2019-07-02T17:30:00Z",
        "2019-07-02T20:00:00Z",
        "2019-07-03T17:00:00Z",
    ]
    opens = calendar("XNYS").opens(first_instant("2019-07-02"), last_instant("2019-07-03"), "4H")
    assert [utc_text(time) for time in opens.tolist()] == [
        "2019-07-02T13:30:00Z",
        "2019-07-02T17:30:00Z",
        "2019-07-03T13:30:00Z",
    ]


def test_the_calendar_that_never_shuts_closes_at_multiples_from_midnight() -> None:
    assert closes("24/7", "2019-01-01", "2019-01-01", "4H") == [
        f"2019-01-01T{hour:02d}:00:00Z" for hour in range(0, 24, 4)
    ] + ["2019-01-02T00:00:00Z"]


@given(
    st.integers(-(10**18), 10**18),
    st.integers(0, 3_000 * NANOSECONDS_PER_DAY),
    st.sampled_from(["30M", "4H", "1D"]),
)
def test_always_open_bars_are_all_the_multiples_in_the_asked_range(
    start: int, length: int, timeframe: str
) -> None:
    step = parse_timeframe(timeframe).nanoseconds
    end = start + length
    times = calendar("24/7").times(start, end, timeframe)
    assert len(times.closes) == end // step - (start - 1) // step
    assert (times.closes % step == 0).all()
    assert (times.opens == times.closes - step).all()
    assert ((times.closes >= start) & (times.closes <= end)).all()


def test_a_close_at_the_very_end_of_a_long_range_is_included() -> None:
    assert closes("24/7", "2018-05-01", "2018-05-31", "4H")[-1] == "2018-06-01T00:00:00Z"


@given(st.integers(0, 1_500), st.integers(0, 30), st.sampled_from(["1H", "4H", "1D"]))
def test_a_part_of_a_calendar_is_that_part_of_the_whole(
    day: int, days: int, timeframe: str
) -> None:
    exchange = calendar("XNYS")
    begin = first_instant("2018-01-01")
    whole = exchange.closes(begin, last_instant("2023-12-31"), timeframe)
    start = begin + day * NANOSECONDS_PER_DAY + 12_345
    end = start + days * NANOSECONDS_PER_DAY
    expected = whole[(whole >= start) & (whole <= end)]
    assert exchange.closes(start, end, timeframe).tolist() == expected.tolist()


def test_sessions_do_not_overlap_and_no_bar_outlives_its_session() -> None:
    exchange = calendar("XNYS")
    bounds = first_instant("2013-01-01"), last_instant("2023-12-31")
    hourly, daily = exchange.times(*bounds, "1H"), exchange.times(*bounds, "1D")
    assert (np.diff(hourly.closes) > 0).all()
    assert (hourly.opens < hourly.closes).all()
    assert (hourly.opens[1:] >= hourly.closes[:-1]).all()
    assert set(daily.closes.tolist()) <= set(hourly.closes.tolist())


@pytest.mark.parametrize(
    ("name", "timeframe", "count"),
    [
        ("24/7", "1D", 1), ("24/7", "4H", 6), ("24/7", "30M", 48),
        ("XNYS", "1D", 1), ("XNYS", "4H", 2), ("XNYS", "30M", 13),
        ("XTKS", "1D", 1), ("XTKS", "4H", 2), ("XTKS", "1H", 6), ("XTKS", "30M", 10),
        ("XHKG", "1D", 1), ("XHKG", "4H", 2), ("XHKG", "1H", 6), ("XHKG", "30M", 11),
    ],
)  # fmt: skip
def test_bars_per_day_counts_an_ordinary_trading_day(name: str, timeframe: str, count: int) -> None:
    assert calendar(name).bars_per_day(timeframe) == count


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(UnknownCalendar, match="calendar 'NOPE' is unknown: use 24/7 or") as error:
        calendar("NOPE")
    assert error.value.name == "NOPE"


def test_times_beyond_what_an_exchange_records_are_refused_in_a_sentence() -> None:
    with pytest.raises(OutsideCalendar, match="calendar XKRX cannot tell its sessions") as error:
        calendar("XKRX").closes(first_instant("2020-01-01"), last_instant("2090-01-01"), "1D")
    assert "\n" not in str(error.value)


def test_an_empty_range_has_no_closes() -> None:
    for name in ("24/7", "XNYS"):
        assert calendar(name).closes(10, 5, "1D").tolist() == []


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("XTKS", "2019-07-02", ["01:00", "02:00", "02:30", "04:30", "05:30", "06:00"]),
        ("XHKG", "2019-07-02", ["02:30", "03:30", "04:00", "06:00", "07:00", "08:00"]),
        ("XHKG", "2020-12-24", ["02:30", "03:30", "04:00"]),  # closes at noon
    ],
)
def test_intraday_bars_honour_the_lunch_break_and_count_anew_from_its_end(
    name: str, day: str, expected: list[str]
) -> None:
    assert closes(name, day, day, "1H") == [f"{day}T{time}:00Z" for time in expected]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package's calls of pandas
@pytest.mark.parametrize("name", ["XTKS", "XHKG"])
def test_no_intraday_bar_opens_or_closes_or_lasts_within_a_break(name: str) -> None:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    recorded = exchange_calendars.get_calendar(name, start="2018-01-01", end="2020-12-31")
    pauses = recorded.schedule[["break_start", "break_end"]].dropna().to_numpy("datetime64[ns]")
    pauses = pauses.astype(np.int64)
    bounds = first_instant("2018-01-01"), last_instant("2020-12-31")
    for timeframe in ("30M", "1H", "4H"):
        times = calendar(name).times(*bounds, timeframe)
        rows = np.searchsorted(pauses[:, 0], times.opens, side="right") - 1
        before = np.maximum(rows, 0)
        assert ((times.opens >= pauses[before, 1]) | (rows < 0)).all()
        after = np.minimum(rows + 1, len(pauses) - 1)
        assert ((times.closes <= pauses[after, 0]) | (rows + 1 == len(pauses))).all()
        assert (times.opens[1:] >= times.closes[:-1]).all()
    daily = calendar(name).times(*bounds, "1D")
    assert len(daily.closes) == len(recorded.sessions)
