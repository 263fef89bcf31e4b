import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratvector.backtest.metrics import daily_equity, daily_returns, observations
from stratvector.backtest.metrics.daily import elapsed_years, sample_days

HOUR = 3_600_000_000_000
DAY = 24 * HOUR

sessions = st.lists(
    st.integers(min_value=0, max_value=20 * 24), min_size=1, max_size=40, unique=True
).map(lambda hours: np.array(sorted(hours), dtype=np.int64) * HOUR)


def closes(*hours: int) -> np.ndarray:
    return np.array(hours, dtype=np.int64) * HOUR


def test_a_four_hour_session_is_sampled_at_each_midnight_on_the_last_close() -> None:
    times = closes(4, 8, 12, 16, 20, 24, 28, 44)
    days, samples = daily_equity(times, np.arange(100.0, 108.0))
    assert days.tolist() == [0, DAY, 2 * DAY]
    assert samples.tolist() == [100.0, 105.0, 107.0]


def test_a_daily_session_has_one_return_per_close_after_the_first() -> None:
    times = closes(21, 24 + 21, 48 + 21)
    days, samples = daily_equity(times, np.array([100.0, 110.0, 99.0]))
    assert days.tolist() == [DAY, 2 * DAY, 3 * DAY]
    assert samples.tolist() == [100.0, 110.0, 99.0]
    np.testing.assert_allclose(daily_returns(samples), [0.1, -0.1])


def test_a_close_at_midnight_belongs_to_the_day_that_it_ends() -> None:
    times = closes(24, 48, 72)
    days, samples = daily_equity(times, np.array([1.0, 2.0, 3.0]))
    assert days.tolist() == [DAY, 2 * DAY, 3 * DAY]
    assert samples.tolist() == [1.0, 2.0, 3.0]


def test_a_second_close_at_the_first_midnight_makes_the_first_return() -> None:
    days, samples = daily_equity(closes(20, 24, 48), np.array([100.0, 110.0, 121.0]))
    assert days.tolist() == [0, DAY, 2 * DAY]
    assert samples.tolist() == [100.0, 110.0, 121.0]


def test_a_weekend_has_no_sample() -> None:
    friday, monday = 21, 3 * 24 + 21
    days, samples = daily_equity(closes(friday, monday), np.array([100.0, 101.0]))
    assert days.tolist() == [DAY, 4 * DAY]
    assert samples.tolist() == [100.0, 101.0]


def test_one_close_is_one_sample_and_no_return() -> None:
    days, samples = daily_equity(closes(5), np.array([7.0]))
    assert (days.tolist(), samples.tolist()) == ([DAY], [7.0])
    assert daily_returns(samples).size == 0


def test_no_return_is_defined_after_ruin() -> None:
    returns = daily_returns(np.array([10.0, 5.0, 0.0, 5.0, -5.0, -2.0]))
    np.testing.assert_array_equal(returns, [-0.5, -1.0, np.nan, -2.0, np.nan])


def test_years_have_365_days_and_a_quarter() -> None:
    assert elapsed_years(closes(0, 1461 * 24)) == 4.0


@given(sessions)
def test_each_sample_is_the_last_equity_known_at_its_midnight(times: np.ndarray) -> None:
    equity = np.arange(1.0, len(times) + 1.0)
    days, samples = daily_equity(times, equity)
    for day, sample in zip(days.tolist(), samples.tolist(), strict=True):
        known = [e for t, e in zip(times.tolist(), equity.tolist(), strict=True) if t <= day]
        assert sample == (known[-1] if known else equity[0])


@given(sessions)
def test_samples_begin_with_the_initial_and_end_with_the_final_equity(times: np.ndarray) -> None:
    equity = np.arange(1.0, len(times) + 1.0)
    days, samples = daily_equity(times, equity)
    assert samples[0] == equity[0]
    assert samples[-1] == equity[-1]
    assert (np.diff(days) >= DAY).all()
    assert (days % DAY == 0).all()


@given(sessions)
def test_each_day_with_a_close_has_one_sample_and_no_other_day_has(times: np.ndarray) -> None:
    days = sample_days(times).tolist()
    ended = {-(-t // DAY) * DAY for t in times.tolist()}
    first = min(ended)
    second_by_then = sum(t <= first for t in times.tolist()) > 1
    assert days == sorted(ended | ({first - DAY} if second_by_then else set()))
    known = observations(times)
    assert known.returns == len(days) - 1
    assert known.days == (times[-1] - times[0]) / DAY
