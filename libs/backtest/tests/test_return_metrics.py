import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stratvector.backtest.metrics.returns import (
    annualized_return,
    annualized_volatility,
    omega_ratio,
    rate_per_period,
    sharpe_ratio,
    sortino_ratio,
    total_return,
)

FOUR_DAYS = np.array([0.01, -0.02, 0.03, -0.01])

series = st.lists(st.floats(min_value=-0.5, max_value=0.5), min_size=2, max_size=60)


def test_the_ratios_of_four_days_match_the_hand_calculation() -> None:
    assert annualized_volatility(FOUR_DAYS, 252) == pytest.approx(
        math.sqrt(0.001475 / 3) * math.sqrt(252)
    )
    assert sharpe_ratio(FOUR_DAYS, 252) == pytest.approx(
        0.0025 / math.sqrt(0.001475 / 3) * math.sqrt(252)
    )
    assert sortino_ratio(FOUR_DAYS, 252) == pytest.approx(
        0.0025 / math.sqrt(0.0005 / 4) * math.sqrt(252)
    )
    assert omega_ratio(FOUR_DAYS, 252) == pytest.approx(0.04 / 0.03)


def test_growth_of_a_fifth_over_two_years_compounds() -> None:
    assert total_return(100.0, 144.0) == pytest.approx(0.44)
    assert annualized_return(100.0, 144.0, 2.0) == pytest.approx(0.2)


def test_losing_everything_is_minus_one_a_year() -> None:
    assert total_return(100.0, 0.0) == -1.0
    assert annualized_return(100.0, 0.0, 0.5) == -1.0


@pytest.mark.parametrize(
    ("initial", "final", "years"),
    [
        (100.0, 110.0, 0.0),
        (100.0, -1.0, 1.0),
        (0.0, 1.0, 1.0),
        (1.0, 2.0, 1e-6),
        (1.0, math.nan, 1),
    ],
)
def test_growth_without_meaning_is_undefined(initial: float, final: float, years: float) -> None:
    assert math.isnan(annualized_return(initial, final, years))


def test_the_risk_free_rate_of_a_period_compounds_to_the_annual_rate() -> None:
    rate = rate_per_period(0.05, 252)
    assert (1.0 + rate) ** 252 == pytest.approx(1.05)
    assert rate_per_period(0.0, 252) == 0.0
    assert sharpe_ratio(FOUR_DAYS, 252, 0.05) == pytest.approx(sharpe_ratio(FOUR_DAYS - rate, 252))
    assert sortino_ratio(FOUR_DAYS, 252, 0.05) == pytest.approx(
        sortino_ratio(FOUR_DAYS - rate, 252)
    )
    assert omega_ratio(FOUR_DAYS, 252, 0.05) == pytest.approx(omega_ratio(FOUR_DAYS - rate, 252))


@pytest.mark.parametrize("days", [0, 1])
def test_ratios_of_fewer_than_two_days_are_undefined(days: int) -> None:
    few = FOUR_DAYS[1 : 1 + days]
    assert math.isnan(annualized_volatility(few, 252))
    assert math.isnan(sharpe_ratio(few, 252))
    assert math.isnan(sortino_ratio(few, 252))


def test_ratios_without_risk_are_undefined_and_not_infinite() -> None:
    growth = np.diff(1.001 ** np.arange(50)) / 1.001 ** np.arange(49)
    for returns in (np.zeros(10), np.full(10, 0.001), growth):
        assert annualized_volatility(returns, 365) == 0.0
        assert math.isnan(sharpe_ratio(returns, 365))
        assert math.isnan(sortino_ratio(returns, 365))
        assert math.isnan(omega_ratio(returns, 365))


def test_a_missing_return_makes_the_ratios_undefined() -> None:
    returns = np.array([0.01, np.nan, -0.02])
    for metric in (sharpe_ratio, sortino_ratio, omega_ratio, annualized_volatility):
        assert math.isnan(metric(returns, 252))


@given(series)
def test_sharpe_is_the_mean_over_the_standard_deviation(values: list[float]) -> None:
    assume(stdev(values) > 1e-9)
    expected = fmean(values) / stdev(values) * math.sqrt(252)
    assert sharpe_ratio(np.array(values), 252) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(series, st.floats(min_value=0.01, max_value=100.0))
def test_ratios_do_not_change_with_the_scale_of_returns(values: list[float], scale: float) -> None:
    returns = np.array(values)
    assume(min(stdev(values), -min(values)) > 1e-6)
    for ratio in (sharpe_ratio, sortino_ratio, omega_ratio):
        assert ratio(scale * returns, 365) == pytest.approx(ratio(returns, 365), rel=1e-6, abs=1e-9)


@given(series)
def test_omega_is_above_one_exactly_when_the_mean_is_positive(values: list[float]) -> None:
    assume(min(values) < -1e-6 and abs(fmean(values)) > 1e-9)
    assert (omega_ratio(np.array(values), 365) > 1.0) == (fmean(values) > 0.0)


@given(series)
def test_sortino_and_sharpe_agree_in_sign(values: list[float]) -> None:
    returns = np.array(values)
    assume(min(stdev(values), -min(values)) > 1e-6)
    assert sortino_ratio(returns, 252) * sharpe_ratio(returns, 252) >= 0.0
