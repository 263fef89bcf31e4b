"""Each indicator against its textbook formula, written the slow way."""

import math
import statistics
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.indicators.relative_strength import relative_strength_window
from stratvector.strategies.trial_bars import bars_of, trial_bars

Formula = Callable[[list[float]], float]

seeds = st.integers(0, 10_000)
gaps = st.sampled_from([0.0, 0.1, 0.4])


def by_formula(values: Floats, window: int, formula: Formula) -> Floats:
    """`formula` over the present values of each full window, NaN where the package says."""
    result = np.full(values.shape, np.nan)
    for t in range(window - 1, len(values)):
        for s in range(values.shape[1]):
            past = values[t - window + 1 : t + 1, s]
            present = [float(v) for v in past if not math.isnan(v)]
            if not math.isnan(past[-1]) and 2 * len(present) >= window:
                result[t, s] = formula(present)
    return result


def rsi(closes: list[float], period: int) -> float:
    changes = [b - a for a, b in pairwise(closes)]
    gains, losses = [max(c, 0.0) for c in changes], [max(-c, 0.0) for c in changes]
    gain, loss = sum(gains[:period]) / period, sum(losses[:period]) / period
    for up, down in zip(gains[period:], losses[period:], strict=True):
        gain, loss = (gain * (period - 1) + up) / period, (loss * (period - 1) + down) / period
    if loss == 0.0:
        return 100.0 if gain else 50.0
    return 100.0 - 100.0 / (1.0 + gain / loss)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 12))
def test_the_moving_average_is_the_mean_of_the_present_closes(
    seed: int, share: float, window: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, window, statistics.fmean)
    np.testing.assert_allclose(Indicators(bars).moving_average(window), expected, rtol=1e-12)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(2, 12))
def test_the_standard_deviation_is_that_of_the_present_closes_as_a_population(
    seed: int, share: float, window: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, window, statistics.pstdev)
    actual = Indicators(bars).standard_deviation(window)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 4))
def test_the_relative_strength_index_is_wilders_begun_at_the_windows_start(
    seed: int, share: float, period: int
) -> None:
    bars = trial_bars(80, seed=seed, gaps=share)
    window = relative_strength_window(period)
    expected = by_formula(bars.close, window, lambda closes: rsi(closes, period))
    actual = Indicators(bars).relative_strength(period)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 12))
def test_momentum_compares_with_the_oldest_present_close_of_the_lookback(
    seed: int, share: float, lookback: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, lookback + 1, lambda closes: closes[-1] / closes[0] - 1.0)
    actual = Indicators(bars).momentum(lookback)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


def test_the_bands_lie_a_width_of_standard_deviations_about_the_average() -> None:
    indicators = Indicators(trial_bars(60))
    average, deviation = indicators.moving_average(20), indicators.standard_deviation(20)
    np.testing.assert_array_equal(indicators.bollinger_band(20, -2.0), average - 2.0 * deviation)
    np.testing.assert_array_equal(indicators.bollinger_band(20, 2.0), average + 2.0 * deviation)


def test_the_z_score_counts_standard_deviations_from_the_average() -> None:
    bars = trial_bars(60)
    indicators = Indicators(bars)
    expected = (bars.close - indicators.moving_average(9)) / indicators.standard_deviation(9)
    np.testing.assert_array_equal(indicators.z_score(9), expected)


@pytest.mark.parametrize(("kind", "value"), [("z_score", 0.0), ("relative_strength", 50.0)])
def test_closes_that_never_move_have_a_neutral_value(kind: str, value: float) -> None:
    bars = bars_of(A=[7.0] * 30)
    assert getattr(Indicators(bars), kind)(2)[-1, 0] == value


def test_an_index_of_rises_only_is_100_and_of_falls_only_0() -> None:
    bars = bars_of(UP=range(1, 31), DOWN=range(31, 1, -1))
    assert Indicators(bars).relative_strength(2)[-1].tolist() == [100.0, 0.0]


def test_a_row_is_missing_where_its_own_close_is_or_most_of_its_window() -> None:
    bars = bars_of(A=[1, 2, 3, None, None, None, 7, None, 9])
    average = Indicators(bars).moving_average(4)[:, 0]
    assert [t for t in range(9) if average[t] == average[t]] == [8]
    assert average[8] == 8.0
