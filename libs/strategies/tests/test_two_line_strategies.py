"""MomentumStrategy and MeanReversionStrategy on bars made by hand."""

import numpy as np
import pytest

from stratvector.strategies import MeanReversionStrategy, MomentumStrategy
from stratvector.strategies.bad_strategy import ImpossibleParameter
from stratvector.strategies.trial_bars import bars_of
from stratvector.trading.strategy import scan


def test_momentum_is_long_while_the_short_average_is_above_the_long_one() -> None:
    strategy = MomentumStrategy(short_window=2, long_window=4)
    weights = scan(strategy, bars_of(A=[1, 2, 3, 4, 5, 1, 1, 1])).weights[:, 0]
    assert weights.tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_momentum_is_flat_while_both_averages_are_equal() -> None:
    strategy = MomentumStrategy(short_window=2, long_window=4)
    assert scan(strategy, bars_of(A=[5, 5, 5, 5])).weights[3, 0] == 0.0


def test_momentum_gives_each_of_two_symbols_half_and_a_missing_bar_nan() -> None:
    strategy = MomentumStrategy(short_window=2, long_window=4)
    result = scan(strategy, bars_of(A=[1, 2, 3, 4, None], B=[1, 2, 3, 4, 5]))
    assert result.weights[3].tolist() == [0.5, 0.5]
    assert np.isnan(result.weights[4, 0])
    assert result.confidence[4].tolist() == [0.0, 0.5]


def test_momentum_is_flat_in_a_symbol_with_too_few_bars() -> None:
    strategy = MomentumStrategy(short_window=2, long_window=6)
    weights = scan(strategy, bars_of(A=[None, None, None, None, 1, 2, 3])).weights[:, 0]
    assert weights.tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_momentum_needs_its_long_window_and_defaults_to_10_and_30() -> None:
    assert MomentumStrategy().history == 30
    assert MomentumStrategy(10, 30) == MomentumStrategy()


def test_mean_reversion_holds_from_far_below_the_mean_until_back_at_it() -> None:
    strategy = MeanReversionStrategy(window=5, threshold=1.5)
    closes = [10, 10, 10, 10, 10, 8, 8.5, 8.6, 9.5, 9]
    weights = scan(strategy, bars_of(A=closes)).weights[:, 0]
    assert weights.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]


def test_mean_reversion_is_kept_below_the_mean_and_ends_at_it() -> None:
    strategy = MeanReversionStrategy(window=5, threshold=1.5)
    bars = bars_of(A=[10, 10, 10, 10, 10, 8, 9.25, 9.3125])
    assert strategy.features(bars)[5:, 0, 1].tolist() == pytest.approx([-2, -0.256, 0], abs=1e-3)
    assert scan(strategy, bars).weights[5:, 0].tolist() == [1, 1, 0]


def test_mean_reversion_keeps_its_memory_over_a_missing_bar() -> None:
    strategy = MeanReversionStrategy(window=5, threshold=1.5)
    result = scan(strategy, bars_of(A=[10, 10, 10, 10, 10, 8, None, 8.5]))
    assert np.isnan(result.weights[6, 0])
    assert result.states[5:, 0].tolist() == [1, 1, 1]
    assert result.weights[7, 0] == 1.0


def test_mean_reversion_needs_its_window_and_defaults_to_20_and_2() -> None:
    assert MeanReversionStrategy().history == 20
    assert MeanReversionStrategy(20, 2.0) == MeanReversionStrategy()


def test_a_short_window_that_is_not_below_the_long_one_is_refused() -> None:
    with pytest.raises(ImpossibleParameter, match="short_window 30 must be below long_window 30"):
        MomentumStrategy(short_window=30)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_is_not_finite_and_above_0_is_refused(threshold: float) -> None:
    with pytest.raises(ImpossibleParameter, match="finite and above 0"):
        MeanReversionStrategy(threshold=threshold)
