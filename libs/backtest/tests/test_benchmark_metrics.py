import math
from statistics import correlation, linear_regression, stdev

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stratvector.backtest.metrics import Benchmark, daily_equity, daily_returns
from stratvector.backtest.metrics.benchmark import (
    alpha,
    benchmark_returns,
    beta,
    information_ratio,
)

DAY = 86_400_000_000_000

pairs = st.lists(
    st.tuples(st.floats(min_value=-0.5, max_value=0.5), st.floats(min_value=-0.5, max_value=0.5)),
    min_size=3,
    max_size=50,
)


def test_twice_the_benchmark_and_a_tenth_per_cent_a_day() -> None:
    theirs = np.array([0.01, -0.02, 0.015, 0.0])
    ours = 2.0 * theirs + 0.001
    assert beta(ours, theirs) == pytest.approx(2.0)
    assert alpha(ours, theirs, 252) == pytest.approx(0.252)


def test_alpha_leaves_out_what_the_risk_free_rate_explains() -> None:
    theirs = np.array([0.01, -0.02, 0.015, 0.0])
    rate = 1.05 ** (1 / 252) - 1
    leveraged = rate + 2.0 * (theirs - rate)
    assert alpha(leveraged, theirs, 252, 0.05) == pytest.approx(0.0, abs=1e-12)


def test_the_information_ratio_of_two_active_days_matches_the_hand_calculation() -> None:
    ours, theirs = np.array([0.02, 0.01]), np.array([0.01, 0.02])
    assert information_ratio(ours, theirs, 252) == 0.0
    ours = np.array([0.04, 0.02])
    assert information_ratio(ours, theirs, 252) == pytest.approx(
        0.015 / (0.03 / math.sqrt(2)) * math.sqrt(252)
    )


def test_the_benchmark_against_itself_has_no_active_return() -> None:
    theirs = np.array([0.01, -0.02, 0.015])
    assert beta(theirs, theirs) == 1.0
    assert alpha(theirs, theirs, 365) == 0.0
    assert math.isnan(information_ratio(theirs, theirs, 365))


def test_a_benchmark_that_does_not_move_explains_nothing() -> None:
    ours, still = np.array([0.01, -0.02, 0.015]), np.zeros(3)
    assert math.isnan(beta(ours, still))
    assert math.isnan(alpha(ours, still, 365))
    assert information_ratio(ours, still, 365) > 0.0


def test_days_without_a_benchmark_price_are_left_out_of_both() -> None:
    theirs = np.array([np.nan, 0.01, -0.02, 0.015])
    ours = np.array([0.9, 0.02, -0.01, 0.005])
    assert beta(ours, theirs) == beta(ours[1:], theirs[1:])
    assert math.isnan(beta(ours[:2], theirs[:2]))
    assert math.isnan(alpha(ours[:1], theirs[:1], 365))


def test_the_benchmark_is_sampled_like_the_portfolio() -> None:
    closes = np.array([21, 45, 69, 141], dtype=np.int64) * (DAY // 24)
    spy = Benchmark(closes[1:], np.array([100.0, 110.0, 99.0]))
    np.testing.assert_allclose(benchmark_returns(spy, closes), [np.nan, 0.1, -0.1])


def test_a_benchmark_that_is_the_equity_has_its_returns_from_the_first_day_on() -> None:
    closes = np.array([4, 8, 20, 24, 44, 60], dtype=np.int64) * (DAY // 24)
    equity = np.array([100.0, 104.0, 99.0, 103.0, 107.0, 101.0])
    ours = daily_returns(daily_equity(closes, equity)[1])
    np.testing.assert_array_equal(benchmark_returns(Benchmark(closes, equity), closes), ours)
    assert not np.isnan(ours).any()


@given(pairs)
def test_beta_is_the_slope_of_the_regression_line(values: list[tuple[float, float]]) -> None:
    ours, theirs = zip(*values, strict=True)
    assume(stdev(theirs) > 1e-3 and stdev(ours) > 1e-3)
    assert beta(np.array(ours), np.array(theirs)) == pytest.approx(
        linear_regression(theirs, ours).slope, rel=1e-7, abs=1e-9
    )
    assert beta(np.array(ours), np.array(theirs)) == pytest.approx(
        correlation(ours, theirs) * stdev(ours) / stdev(theirs), rel=1e-7, abs=1e-7
    )
