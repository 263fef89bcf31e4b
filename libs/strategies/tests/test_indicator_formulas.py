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
from stratvector.strategies.indicators import Indicators, ema_window, rsi_window
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
    weights = [(1.0 - 1.0 / period) ** k for k in range(len(changes))][::-1]
    gain = sum(w * max(c, 0.0) for w, c in zip(weights, changes, strict=True))
    moved = sum(w * abs(c) for w, c in zip(weights, changes, strict=True))
    return 100.0 * gain / moved if moved else 50.0


def ema(values: list[float], window: int) -> float:
    weights = [(1.0 - 2.0 / (window + 1.0)) ** k for k in range(len(values))][::-1]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 12))
def test_the_moving_average_is_the_mean_of_the_present_closes(
    seed: int, share: float, window: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, window, statistics.fmean)
    np.testing.assert_allclose(Indicators(bars).sma(window), expected, rtol=1e-12)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(2, 12))
def test_the_standard_deviation_is_that_of_the_present_closes_as_a_population(
    seed: int, share: float, window: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, window, statistics.pstdev)
    actual = Indicators(bars).std(window)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 4))
def test_the_relative_strength_index_weighs_the_changes_between_present_closes_as_wilder_does(
    seed: int, share: float, period: int
) -> None:
    bars = trial_bars(80, seed=seed, gaps=share)
    window = rsi_window(period, 1e-3)
    expected = by_formula(bars.close, window, lambda closes: rsi(closes, period))
    actual = Indicators(bars).rsi(period, tolerance=1e-3)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 6))
def test_the_exponential_average_weighs_the_present_closes_of_its_window(
    seed: int, share: float, window: int
) -> None:
    bars = trial_bars(80, seed=seed, gaps=share)
    reads = ema_window(window, 1e-3)
    expected = by_formula(bars.close, reads, lambda closes: ema(closes, window))
    actual = Indicators(bars).ema(window, tolerance=1e-3)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@settings(max_examples=10)
@given(seeds, gaps, st.integers(1, 12))
def test_momentum_compares_with_the_oldest_present_close_of_the_lookback(
    seed: int, share: float, lookback: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=share)
    expected = by_formula(bars.close, lookback + 1, lambda closes: closes[-1] / closes[0] - 1.0)
    actual = Indicators(bars).roc(lookback)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


def test_the_bands_lie_a_width_of_standard_deviations_about_the_average() -> None:
    indicators = Indicators(trial_bars(60))
    average, deviation = indicators.sma(20), indicators.std(20)
    bands = indicators.bollinger(20, 2.0)
    np.testing.assert_array_equal(bands.lower, average - 2.0 * deviation)
    np.testing.assert_array_equal(bands.upper, average + 2.0 * deviation)


def test_the_z_score_counts_standard_deviations_from_the_average() -> None:
    bars = trial_bars(60)
    indicators = Indicators(bars)
    expected = (bars.close - indicators.sma(9)) / indicators.std(9)
    np.testing.assert_array_equal(indicators.z_score(9), expected)


@pytest.mark.parametrize("close", [7.0, 0.1])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("z_score", 0.0),
        ("rsi", 50.0),
        ("cci", 0.0),
        ("williams_r", -50.0),
        ("std", 0.0),
        ("roc", 0.0),
    ],
)
def test_closes_that_never_move_have_a_neutral_value(kind: str, value: float, close: float) -> None:
    bars = bars_of(A=[close] * 60)
    assert getattr(Indicators(bars), kind)(2)[-1, 0] == value
    assert Indicators(bars).std(20)[-1, 0] == 0.0


def test_an_index_of_rises_only_is_100_and_of_falls_only_0() -> None:
    bars = bars_of(UP=range(1, 41), DOWN=range(41, 1, -1))
    assert Indicators(bars).rsi(2)[-1].tolist() == [100.0, 0.0]


def test_a_row_is_missing_where_its_own_close_is_or_most_of_its_window() -> None:
    bars = bars_of(A=[1, 2, 3, None, None, None, 7, None, 9])
    average = Indicators(bars).sma(4)[:, 0]
    assert [t for t in range(9) if average[t] == average[t]] == [8]
    assert average[8] == 8.0
