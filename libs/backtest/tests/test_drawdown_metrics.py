import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.backtest.metrics.drawdowns import (
    calmar_ratio,
    drawdowns,
    max_drawdown,
    max_drawdown_duration,
    recovery_factor,
    ulcer_index,
)

DAY = 86_400_000_000_000
WEEK = np.array([100.0, 120.0, 90.0, 108.0, 120.0, 130.0, 104.0])

curves = st.lists(st.floats(min_value=0.01, max_value=1e9), min_size=1, max_size=60).map(np.array)


def days_under_water(equity: np.ndarray) -> float:
    return max_drawdown_duration(np.arange(len(equity), dtype=np.int64) * DAY, equity)


def test_the_drawdowns_of_a_week_match_the_hand_calculation() -> None:
    np.testing.assert_allclose(drawdowns(WEEK), [0, 0, -0.25, -0.1, 0, 0, -0.2])
    assert max_drawdown(WEEK) == -0.25
    assert days_under_water(WEEK) == 3.0
    assert ulcer_index(WEEK) == pytest.approx(math.sqrt((0.0625 + 0.01 + 0.04) / 7))


def test_a_drawdown_that_never_recovers_lasts_to_the_end() -> None:
    assert days_under_water(np.array([90.0, 100.0, 99.0, 95.0, 98.0, 99.9])) == 4.0


def test_time_under_water_is_measured_by_the_clock() -> None:
    hours = np.array([0, 6, 12, 48, 49], dtype=np.int64) * (DAY // 24)
    assert max_drawdown_duration(hours, np.array([1.0, 3.0, 2.0, 3.0, 2.9])) == 42 / 24
    assert max_drawdown_duration(hours, np.array([3.0, 2.0, 3.0, 2.0, 2.9])) == 37 / 24


def test_equity_that_never_falls_has_no_drawdown() -> None:
    rising = np.array([1.0, 1.0, 2.0, 3.0])
    assert max_drawdown(rising) == 0.0
    assert math.copysign(1.0, max_drawdown(rising)) == 1.0
    assert days_under_water(rising) == 0.0
    assert ulcer_index(rising) == 0.0


def test_ratios_to_a_drawdown_of_zero_are_undefined() -> None:
    assert calmar_ratio(0.3, -0.2) == pytest.approx(1.5)
    assert recovery_factor(-0.1, -0.2) == pytest.approx(-0.5)
    assert math.isnan(calmar_ratio(0.3, 0.0))
    assert math.isnan(recovery_factor(0.3, 0.0))


def test_a_missing_sample_makes_every_drawdown_metric_undefined() -> None:
    equity = np.array([1.0, np.nan, 2.0])
    for metric in (max_drawdown, days_under_water, ulcer_index):
        assert math.isnan(metric(equity))


@given(curves)
def test_the_drawdown_lies_between_minus_one_and_zero(equity: np.ndarray) -> None:
    assert -1.0 < max_drawdown(equity) <= 0.0
    assert 0.0 <= ulcer_index(equity) <= abs(max_drawdown(equity)) + 1e-15
    assert 0.0 <= days_under_water(equity) <= len(equity) - 1


@given(curves)
def test_the_drawdown_is_the_worst_pair_of_an_earlier_and_a_later_sample(
    equity: np.ndarray,
) -> None:
    values = equity.tolist()
    worst = min(later / earlier - 1 for i, earlier in enumerate(values) for later in values[i:])
    assert max_drawdown(equity) == min(worst, 0.0)


@given(curves)
def test_the_duration_is_the_longest_wait_to_see_a_peak_again(equity: np.ndarray) -> None:
    longest, peak, since, under = 0, equity[0], 0, False
    for day, value in enumerate(equity.tolist()):
        if under or value < peak:
            longest = max(longest, day - since)
        under = value < peak
        if not under:
            peak, since = value, day
    assert days_under_water(equity) == longest


@given(curves, st.sampled_from([0.25, 2.0, 1024.0]))
def test_drawdowns_do_not_change_with_the_currency(equity: np.ndarray, scale: float) -> None:
    np.testing.assert_array_equal(drawdowns(equity * scale), drawdowns(equity))
