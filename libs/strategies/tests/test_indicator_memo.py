"""Each indicator is computed once, and its bits do not depend on what was computed before."""

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.strategies import Indicators, MomentumStrategy
from stratvector.strategies.indicators.statistics import standard_deviation
from stratvector.strategies.indicators.window import simple_average
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.strategy import feature_rows


def test_a_sweep_over_5080_pairs_computes_146_moving_averages() -> None:
    indicators = Indicators(trial_bars(300, symbols=1))
    short, long = range(5, 51), range(20, 251, 2)
    pairs = [MomentumStrategy(s, w) for s in short for w in long if s < w]
    for strategy in pairs:
        strategy.rows(indicators)
    assert len(pairs) == 5080
    assert indicators.computed(simple_average) == 146


def test_a_sweep_gives_the_bits_of_each_strategy_on_its_own() -> None:
    bars = trial_bars(120)
    strategies = [MomentumStrategy(s, w) for s in (3, 9, 5) for w in (40, 20, 31)]
    swept = MomentumStrategy.features_of_each(strategies, bars)
    for strategy, rows in zip(strategies, swept, strict=True):
        assert rows.tobytes() == feature_rows(strategy, bars).tobytes()


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 1000))
def test_an_average_has_the_same_bits_whatever_was_asked_for_before(
    windows: list[int], seed: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=0.2)
    shared = Indicators(bars)
    for window in windows:
        alone = Indicators(bars).sma(window)
        assert shared.sma(window).tobytes() == alone.tobytes()


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(0, 29), st.integers(0, 1000))
def test_a_windows_last_average_has_the_bits_of_the_full_historys(
    window: int, later: int, seed: int
) -> None:
    bars = trial_bars(60, seed=seed, gaps=0.2)
    t = window - 1 + later
    part = Indicators(bars.window(t - window + 1, t + 1)).sma(window)[-1]
    assert part.tobytes() == Indicators(bars).sma(window)[t].tobytes()


def test_equal_questions_share_one_answer_and_other_columns_have_their_own() -> None:
    indicators = Indicators(trial_bars(40))
    assert indicators.z_score(5) is indicators.z_score(5)
    assert indicators.sma(5, of="volume") is not indicators.sma(5)
    assert indicators.computed(standard_deviation) == 1


def test_a_result_that_others_share_cannot_be_changed() -> None:
    bars = trial_bars(40)
    indicators = Indicators(bars)
    for shared in (indicators.values(), indicators.sma(5)):
        with pytest.raises(ValueError, match="read-only"):
            shared[0, 0] = 1.0
    assert bars.close.flags.writeable


def test_a_strategys_own_kernel_is_memoised_like_the_houses() -> None:
    def double(values: np.ndarray, result: np.ndarray) -> None:
        result[:] = 2.0 * values

    indicators = Indicators(trial_bars(10))
    first = indicators.apply(double, "close", lambda: (indicators.values(),))
    again = indicators.apply(double, "close", lambda: (indicators.values(),))
    assert first is again
    np.testing.assert_array_equal(first, 2.0 * indicators.values())


def test_an_array_is_kept_as_long_as_results_of_it_so_that_no_other_is_taken_for_it() -> None:
    indicators = Indicators(trial_bars(40))
    array = np.asfortranarray(np.full((40, 3), 7.0))
    assert indicators.sma(1, of=array)[-1].tolist() == [7.0] * 3
    given = weakref.ref(array)
    del array
    assert given() is not None
