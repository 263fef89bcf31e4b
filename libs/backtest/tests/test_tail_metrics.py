import math
from statistics import quantiles, stdev

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stratvector.backtest.metrics.moments import kurtosis, skew
from stratvector.backtest.metrics.tails import (
    conditional_value_at_risk,
    tail_ratio,
    value_at_risk,
)

EVEN = np.linspace(-0.05, 0.05, 101)
EMPTY = np.array([])

series = st.lists(st.floats(min_value=-0.9, max_value=0.9), min_size=4, max_size=80)


def test_the_tails_of_evenly_spread_returns_match_the_hand_calculation() -> None:
    assert value_at_risk(EVEN, 0.95) == pytest.approx(0.045)
    assert value_at_risk(EVEN, 0.99) == pytest.approx(0.049)
    assert conditional_value_at_risk(EVEN, 0.95) == pytest.approx(0.0475)
    assert conditional_value_at_risk(EVEN, 0.99) == pytest.approx(0.0495)
    assert tail_ratio(EVEN) == pytest.approx(1.0)


def test_a_loss_is_positive_and_a_sure_gain_is_negative() -> None:
    assert value_at_risk(np.array([-0.02, -0.02]), 0.95) == 0.02
    assert value_at_risk(np.array([0.02, 0.02]), 0.95) == -0.02


def test_tails_without_returns_or_with_a_missing_one_are_undefined() -> None:
    for returns in (EMPTY, np.array([0.1, np.nan])):
        assert math.isnan(value_at_risk(returns, 0.95))
        assert math.isnan(conditional_value_at_risk(returns, 0.95))
        assert math.isnan(tail_ratio(returns))
    assert math.isnan(tail_ratio(np.zeros(5)))


def test_the_moments_of_five_values_match_the_hand_calculation() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    assert skew(values) == pytest.approx(math.sqrt(20) / 3 * 36 / 10**1.5)
    assert kurtosis(values) == pytest.approx(3.152)


def test_the_moments_of_too_few_or_equal_returns_are_undefined() -> None:
    assert math.isnan(skew(EVEN[:2]))
    assert math.isnan(kurtosis(EVEN[:3]))
    for returns in (np.full(10, 0.1), np.array([0.1, np.nan, 0.2, 0.3])):
        assert math.isnan(skew(returns))
        assert math.isnan(kurtosis(returns))


def test_normal_returns_have_neither_skew_nor_excess_kurtosis() -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.01, 200_000)
    assert skew(returns) == pytest.approx(0.0, abs=0.02)
    assert kurtosis(returns) == pytest.approx(0.0, abs=0.04)


@given(series)
def test_value_at_risk_is_the_interpolated_order_statistic(values: list[float]) -> None:
    expected = -quantiles(values, n=20, method="inclusive")[0]
    assert value_at_risk(np.array(values), 0.95) == pytest.approx(expected, abs=1e-12)


@given(series, st.sampled_from([0.95, 0.99]))
def test_the_expected_loss_in_the_tail_is_at_least_its_threshold(
    values: list[float], level: float
) -> None:
    returns = np.array(values)
    threshold = value_at_risk(returns, level)
    assert threshold - 1e-15 <= conditional_value_at_risk(returns, level) <= -min(values) + 1e-15
    assert threshold <= value_at_risk(returns, 0.999) + 1e-15


@given(series, st.floats(min_value=-0.1, max_value=0.1))
def test_a_sure_return_moves_the_tails_by_itself(values: list[float], sure: float) -> None:
    returns = np.array(values)
    assert value_at_risk(returns + sure, 0.95) == pytest.approx(
        value_at_risk(returns, 0.95) - sure, abs=1e-12
    )


@given(series)
def test_the_moments_match_the_definitions(values: list[float]) -> None:
    assume(stdev(values) > 1e-3)
    n = len(values)
    mean = math.fsum(values) / n
    m2, m3, m4 = (math.fsum((v - mean) ** k for v in values) / n for k in (2, 3, 4))
    g1, g2 = m3 / m2**1.5, m4 / m2**2 - 3
    returns = np.array(values)
    assert skew(returns) == pytest.approx(math.sqrt(n * (n - 1)) / (n - 2) * g1, abs=1e-8)
    expected = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * g2 + 6)
    assert kurtosis(returns) == pytest.approx(expected, rel=1e-8, abs=1e-8)


@given(series)
def test_mirrored_returns_have_mirrored_skew(values: list[float]) -> None:
    assume(stdev(values) > 1e-3)
    returns = np.array(values)
    assert skew(-returns) == pytest.approx(-skew(returns), abs=1e-8)
