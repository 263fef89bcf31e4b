import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market.calendars import calendar
from stratvector.market.instants import first_instant, last_instant
from stratvector.market.resampling import OutsideSession, TooCoarse, resample
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.timestamps import utc_text

HALF_HOUR = 1_800_000_000_000
MIDNIGHT = first_instant("2019-01-01")


def half_hours(seed: int, closes: int, missing: float) -> Bars:
    """Random half-hourly bars of two symbols from 2019-01-01T00:30Z on, some of them missing."""
    random = np.random.default_rng(seed)
    prices = np.sort(random.uniform(1, 100, (4, closes, 2)), axis=0)
    volume = random.uniform(0, 10, (closes, 2))
    gone = random.random((closes, 2)) < missing
    low, first, last, high = (np.where(gone, np.nan, price) for price in prices)
    times = MIDNIGHT + np.arange(1, closes + 1, dtype=np.int64) * HALF_HOUR
    return Bars(("A", "B"), times, first, high, low, last, np.where(gone, np.nan, volume))


panels = st.builds(
    half_hours, st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.0, 0.3, 0.95])
)


def changed_after(bars: Bars, row: int) -> Bars:
    """The same bars with every later value and gap scrambled."""
    other = half_hours(99_999, len(bars), 0.5)
    panel = {}
    for name in FIELDS:
        panel[name] = getattr(bars, name).copy()
        panel[name][row + 1 :] = getattr(other, name)[row + 1 :]
    return Bars(bars.symbols, bars.close_times, **panel)


@given(panels, st.integers(0, 59))
def test_changing_input_after_t_changes_no_bar_that_closes_by_t(bars: Bars, row: int) -> None:
    row %= len(bars)
    now = int(bars.close_times[row])
    before, after = resample(bars, "4H"), resample(changed_after(bars, row), "4H")
    closed = before.close_times <= now
    assert before.close_times.tolist() == after.close_times.tolist()
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(before, name)[closed], getattr(after, name)[closed])


@given(panels)
def test_each_coarse_bar_is_made_of_what_closed_in_it(bars: Bars) -> None:
    coarse = resample(bars, "4H")
    assert (np.diff(coarse.close_times) == 8 * HALF_HOUR).all()
    for row, close_time in enumerate(coarse.close_times.tolist()):
        inside = bars.between(close_time - 8 * HALF_HOUR + 1, close_time)
        for column in range(2):
            there = ~np.isnan(inside.close[:, column])
            got = [getattr(coarse, name)[row, column] for name in FIELDS]
            if not there.any():
                assert np.isnan(got).all()
                continue
            assert got[:4] == [
                inside.open[there, column][0],
                inside.high[there, column].max(),
                inside.low[there, column].min(),
                inside.close[there, column][-1],
            ]
            assert got[4] == pytest.approx(inside.volume[there, column].sum())


def test_a_four_hour_bar_closes_at_0_4_8_utc_and_includes_the_half_hour_that_closes_with_it() -> (
    None
):
    coarse = resample(half_hours(1, 9, 0.0), "4H")
    assert [utc_text(time) for time in coarse.close_times.tolist()] == [
        "2019-01-01T04:00:00Z",
        "2019-01-01T08:00:00Z",
    ]
    assert coarse.close[0].tolist() == half_hours(1, 9, 0.0).close[7].tolist()


def test_the_same_timeframe_changes_nothing() -> None:
    bars = half_hours(3, 20, 0.3)
    same = resample(bars, "30M")
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(same, name), getattr(bars, name))


def session_bars(timeframe: str) -> Bars:
    times = calendar("XNYS").closes(
        first_instant("2019-07-02"), last_instant("2019-07-05"), timeframe
    )
    values = np.arange(1.0, len(times) + 1).reshape(-1, 1)
    return Bars(("SPY",), times, values, values, values, values, values)


def test_a_session_becomes_one_daily_bar_at_its_own_close() -> None:
    daily = resample(session_bars("30M"), "1D", "XNYS")
    assert [utc_text(time) for time in daily.close_times.tolist()] == [
        "2019-07-02T20:00:00Z",
        "2019-07-03T17:00:00Z",
        "2019-07-05T20:00:00Z",
    ]
    assert daily.open[:, 0].tolist() == [1, 14, 21]
    assert daily.close[:, 0].tolist() == [13, 20, 33]
    assert daily.volume[:, 0].tolist() == [91, 119, 351]


def test_a_bar_from_when_the_exchange_is_shut_is_refused() -> None:
    night = session_bars("30M")
    times = night.close_times.copy()
    times[13:] += 3 * HALF_HOUR * 2
    late = Bars(night.symbols, times[:14], *(getattr(night, n)[:14] for n in FIELDS))
    assert len(resample(late, "1D", "XNYS")) == 2
    times[12] += HALF_HOUR
    with pytest.raises(OutsideSession, match="2019-07-02T20:30:00Z lies outside the sessions"):
        resample(Bars(night.symbols, times, *(getattr(night, n) for n in FIELDS)), "1D", "XNYS")


def test_no_bars_resample_to_no_bars() -> None:
    assert len(resample(half_hours(1, 4, 0.0).window(0, 0), "4H")) == 0


@pytest.mark.parametrize(
    ("bars", "timeframe", "calendar_name"),
    [
        (resample(half_hours(1, 480, 0.0), "1D"), "4H", "24/7"),
        (resample(half_hours(1, 480, 0.0), "4H"), "1H", "24/7"),
        (session_bars("1D"), "4H", "XNYS"),
    ],
)
def test_bars_that_are_longer_than_what_is_asked_for_are_refused(
    bars: Bars, timeframe: str, calendar_name: str
) -> None:
    rule = f"hours apart, so they cannot be resampled to {timeframe}: only coarser bars"
    with pytest.raises(TooCoarse, match=rule):
        resample(bars, timeframe, calendar_name)
