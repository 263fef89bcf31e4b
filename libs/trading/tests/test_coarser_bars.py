"""Coarser bars as finer rows see them: what had closed, whole, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.coarser import coarser
from stratvector.trading.timeframes import UnknownTimeframe

HOUR = 3_600 * 10**9
DAY = 24 * HOUR


def hourly(closes: list[float], hours: list[int]) -> Bars:
    """One symbol whose bars close at these hours since 1970; high and low lie one around close."""
    close = np.array(closes, dtype=np.float64).reshape(-1, 1)
    times = np.array(hours, dtype=np.int64) * HOUR
    return Bars(("A",), times, close, close + 1, close - 1, close, np.abs(close))


def random_hours(closes: int, seed: int, gaps: float) -> Bars:
    """Two symbols, hourly with holes in the schedule, from any hour of a day on."""
    random = np.random.default_rng(seed)
    steps = np.where(random.random(closes) < 0.1, random.integers(2, 40, closes), 1)
    times = (int(random.integers(1, 100)) + np.cumsum(steps)).astype(np.int64) * HOUR
    close = 50.0 + np.cumsum(random.normal(size=(closes, 2)), axis=0) * 0.1
    columns = [close, close + 1, close - 1, close, np.floor(random.uniform(0, 9, (closes, 2)))]
    missing = random.random((closes, 2)) < gaps
    return Bars(("A", "B"), times, *(np.where(missing, np.nan, one) for one in columns))


def test_a_coarser_bar_is_seen_from_its_close_on_and_the_one_that_bars_begin_in_never() -> None:
    seen = coarser(hourly([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 4, 5, 6, 7, 8, 9, 11, 13]), "4H")
    assert (seen.bars.close_times // HOUR).tolist() == [8, 12]
    assert seen.newest.tolist() == [-1, -1, -1, -1, -1, 0, 0, 0, 1]
    row = [float(getattr(seen.bars, name)[0, 0]) for name in FIELDS]
    assert row == [3.0, 7.0, 2.0, 6.0, 18.0]
    close = seen.aligned(seen.bars.close)[:, 0]
    np.testing.assert_array_equal(close, [np.nan] * 5 + [6, 6, 6, 8])


def test_a_week_closes_on_monday_at_midnight_utc() -> None:
    days = list(range(2, 20))  # 1970-01-03, a Saturday, and on
    bars = hourly([float(day) for day in days], [24 * day for day in days])
    seen = coarser(bars, "1W")
    texts = np.array(seen.bars.close_times, dtype="datetime64[ns]").astype("datetime64[D]")
    assert texts.astype(str).tolist() == ["1970-01-12", "1970-01-19"]
    assert seen.bars.close[:, 0].tolist() == [11.0, 18.0]


def test_a_coarser_bar_without_any_finer_one_is_not_there() -> None:
    seen = coarser(hourly([1, 2, 3, 4], [24, 25, 24 * 5, 24 * 5 + 1]), "1D")
    assert (seen.bars.close_times // DAY).tolist() == [2, 5]
    assert seen.newest.tolist() == [-1, -1, 1, 1]


def test_bars_of_no_close_have_no_coarser_ones() -> None:
    seen = coarser(hourly([], []), "1D")
    assert (len(seen.bars), len(seen.newest)) == (0, 0)


@pytest.mark.parametrize("name", ["2D", "5H", "soon", "", None])
def test_a_timeframe_that_divides_no_day_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeframe, match="is unknown"):
        coarser(hourly([1], [1]), name)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.3, 0.8]),
    name=st.sampled_from(["4H", "1D", "1W"]),
)
def test_what_comes_after_a_row_changes_nothing_that_it_sees(
    seed: int, gaps: float, name: str
) -> None:
    bars = random_hours(120, seed, gaps)
    whole = coarser(bars, name)
    for stop in range(1, len(bars), 17):
        part = coarser(bars.window(0, stop), name)
        for field in FIELDS:
            expected = whole.aligned(getattr(whole.bars, field))[:stop]
            assert part.aligned(getattr(part.bars, field)).tobytes() == expected.tobytes()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.3, 0.8]), count=st.integers(1, 3))
def test_a_window_of_one_coarser_bar_more_sees_the_newest_ones_as_the_whole_does(
    seed: int, gaps: float, count: int
) -> None:
    bars, history = random_hours(150, seed, gaps), 4 * (count + 1)
    whole = coarser(bars, "4H")
    for t in range(history - 1, len(bars)):
        part = coarser(bars.window(t - history + 1, t + 1), "4H")
        ours, theirs = int(part.newest[-1]), int(whole.newest[t])
        assert ours + 1 >= count
        for field in FIELDS:
            found = getattr(part.bars, field)[ours - count + 1 : ours + 1]
            expected = getattr(whole.bars, field)[theirs - count + 1 : theirs + 1]
            assert found.tobytes() == expected.tobytes()
