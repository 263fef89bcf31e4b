import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market.alignment import OffSchedule, align
from stratvector.trading.bars import FIELDS, Bars

times = st.sets(st.integers(0, 40), max_size=15).map(
    lambda found: np.array(sorted(found), np.int64)
)


def bars_at(close_times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Bars:
    values = np.stack([close_times + 1.0, close_times + 100.0], axis=1)
    return Bars(("A", "B"), close_times, values, values, values, values, values)


@given(times, times)
def test_aligned_bars_close_exactly_on_schedule_and_keep_every_scheduled_value(
    schedule: np.ndarray[tuple[int], np.dtype[np.int64]],
    extra: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    bars = bars_at(np.intersect1d(schedule, extra))
    aligned = align(bars, schedule)
    assert aligned.close_times.tolist() == schedule.tolist()
    there = np.isin(schedule, bars.close_times)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(aligned, name)[there], getattr(bars, name))
        assert np.isnan(getattr(aligned, name)[~there]).all()


def test_a_bar_between_scheduled_closes_is_refused_with_its_time() -> None:
    schedule = np.array([10, 20, 30], np.int64)
    with pytest.raises(OffSchedule, match=r"A has a bar at .*15Z \(and 1 more\), when no") as error:
        align(bars_at(np.array([10, 15, 25, 30], np.int64)), schedule)
    assert error.value.close_times.tolist() == [15, 25]


def test_bars_before_and_after_the_schedule_are_left_out() -> None:
    aligned = align(bars_at(np.array([5, 10, 35], np.int64)), np.array([10, 20], np.int64))
    assert aligned.close[:, 0].tolist()[0] == 11.0
    assert np.isnan(aligned.close[1]).all()


def test_an_off_schedule_row_without_any_bar_does_no_harm() -> None:
    bars = bars_at(np.array([10, 15, 20], np.int64))
    panel = {name: getattr(bars, name).copy() for name in FIELDS}
    for values in panel.values():
        values[1] = np.nan
    aligned = align(Bars(bars.symbols, bars.close_times, **panel), np.array([10, 20], np.int64))
    assert aligned.close[:, 0].tolist() == [11.0, 21.0]
