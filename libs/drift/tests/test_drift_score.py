"""The score: low on unchanged data, high on a planted doubling of volatility, and well-behaved."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.drift.features import feature_drifts
from stratvector.drift.model_drift import Feature
from stratvector.drift.persistence import independent_values, neighbours
from stratvector.drift.population_stability_index import StabilityIndex
from stratvector.drift.rules import VALUES_MIN, DriftRules
from stratvector.drift.samples import Values
from stratvector.drift.score import compare, score
from stratvector.drift.split_series import SplitSeries

RULES = DriftRules()
LOW, WARNING, HIGH = 0.3, 0.5, 0.8
SEEDS = 200
SIZES = [(VALUES_MIN, VALUES_MIN), (120, 200), (500, 100), (600, 600)]
Draw = Callable[[np.random.Generator, int], Values]


def normal(random: np.random.Generator, count: int) -> Values:
    return random.normal(0.0005, 0.01, count)


def heavy_tailed(random: np.random.Generator, count: int) -> Values:
    return 0.01 * random.standard_t(4, count)


def two_sizes(random: np.random.Generator, count: int) -> Values:
    """A model that invests a half or the whole of its budget."""
    weights: Values = random.choice([0.5, 1.0], count)
    return weights * random.normal(0.0, 0.01, count)


def blocks_of_days(random: np.random.Generator, count: int) -> Values:
    """Weights of 0 and 0.5 that are held for twenty closes on average."""
    weights, now = np.empty(count), 0.0
    for place, turns in enumerate(random.random(count) < 0.05):
        now = 0.5 - now if turns else now
        weights[place] = now
    return weights


def score_of(returns: Values, signals: Values, reference: int, window: int) -> float:
    """The largest feature's score, as a watch finds it."""
    features = feature_drifts(
        series_of(returns, reference, window), series_of(signals, reference, window), RULES.bins
    )
    return max(one.score for one in features)


def series_of(values: Values, reference: int, window: int) -> SplitSeries:
    series = SplitSeries(reference, window)
    for close, value in enumerate(values.tolist()):
        series.append(close, value)
    return series


def scores(draw: Draw, reference: int, window: int, factor: float) -> Iterator[float]:
    """Of many seeds; the window's returns are multiplied."""
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        count = reference + max(window, reference)
        returns = draw(random, count)
        returns[reference:] *= factor
        yield score_of(returns, blocks_of_days(random, count), reference, window)


@pytest.mark.parametrize("draw", [normal, heavy_tailed, two_sizes])
@pytest.mark.parametrize(("reference", "window"), SIZES)
def test_the_score_of_unchanged_data_is_low_at_every_size(
    draw: Draw, reference: int, window: int, say: Callable[[str], None]
) -> None:
    """Chance alone may lift one seed above it, but not to a warning."""
    *others, highest = sorted(scores(draw, reference, window, 1.0))
    size = f"{reference}/{window} values of {draw.__name__}"
    say(f"drift score, unchanged, {size}: at most {highest:.3f} of {SEEDS} seeds")
    assert max(others) < LOW
    assert highest < WARNING


@pytest.mark.parametrize("draw", [normal, heavy_tailed, two_sizes])
def test_a_doubling_of_volatility_scores_high_with_the_default_window(
    draw: Draw, say: Callable[[str], None]
) -> None:
    lowest = min(scores(draw, RULES.reference_closes, RULES.window_closes, 2.0))
    say(f"drift score, volatility doubled, {draw.__name__}: at least {lowest:.3f}")
    assert lowest > HIGH


def test_a_halving_of_volatility_scores_high_too() -> None:
    found = scores(normal, RULES.reference_closes, RULES.window_closes, 0.5)
    assert min(found) > HIGH


def test_signals_that_come_to_an_end_score_high() -> None:
    random = np.random.default_rng(1)
    signals = random.choice([0.0, 0.5], 1_000)
    signals[500:] = 0.0
    returns = normal(random, 1_000)
    assert score_of(returns, signals, 500, 500) > HIGH


def test_the_side_that_a_model_takes_matters() -> None:
    random = np.random.default_rng(1)
    signals = random.choice([0.0, 0.5], 1_000)
    signals[500:] *= -1
    assert score_of(normal(random, 1_000), signals, 500, 500) > HIGH


def test_a_long_trade_or_two_are_too_few_to_tell() -> None:
    """In and out twice in a thousand closes: halves differ, and that proves nothing."""
    weights = np.repeat([0.0, 0.5, 0.0, 0.5], [300, 150, 250, 300])
    found = compare(weights[:500], weights[500:], RULES.bins)
    assert found.distance > 0.2
    assert found.score < LOW


@given(
    st.floats(0, 5), st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.integers(2, 20),
    st.floats(1, 1e6), st.floats(1, 1e6),
)  # fmt: skip
def test_the_score_rises_with_both_detectors(
    a: float, b: float, c: float, d: float, cells: int, n: float, m: float
) -> None:
    low = score(StabilityIndex(min(a, b), cells), min(c, d), n, m)
    high = score(StabilityIndex(max(a, b), cells), max(c, d), n, m)
    assert 0.0 <= low <= high + 1e-9
    assert high <= 1.0


@given(st.floats(0, 3), st.floats(0, 1), st.integers(1, 20), st.floats(1, 1e3), st.floats(1, 1e3))
def test_the_score_has_no_jumps(
    index: float, distance: float, cells: int, n: float, m: float
) -> None:
    step = 1e-9
    here = score(StabilityIndex(index, cells), distance, n, m)
    beside = score(StabilityIndex(index + step, cells), distance + step, n, m)
    assert abs(here - beside) < 1e-5


@given(st.integers(VALUES_MIN, 5_000), st.integers(VALUES_MIN, 5_000))
def test_equal_histograms_score_nothing(n: int, m: int) -> None:
    assert score(StabilityIndex(0.0, 10), 0.0, n, m) == 0.0


def test_a_trifle_scores_little_however_many_values_prove_it() -> None:
    random = np.random.default_rng(3)
    found = compare(random.normal(size=400_000), 1.05 * random.normal(size=400_000), 10)
    assert found.p_value < 1e-12
    assert found.score < LOW


def test_an_autoregressive_series_is_worth_as_many_values_as_theory_says() -> None:
    random = np.random.default_rng(2)
    values = np.zeros(40_000)
    for place, shock in enumerate(random.normal(size=len(values) - 1)):
        values[place + 1] = 0.8 * values[place] + shock
    halves = (values[:20_000], values[20_000:])
    assert neighbours(halves) == pytest.approx(0.8, abs=0.02)
    expected = 20_000 * (1 - 0.8) / (1 + 0.8)
    assert independent_values(*halves) == pytest.approx((expected, expected), rel=0.1)


def test_draws_are_worth_what_they_are_also_when_the_window_has_moved() -> None:
    random = np.random.default_rng(4)
    found = independent_values(random.normal(size=500), 9 + random.normal(size=250))
    assert found[0] == 2 * found[1]
    assert 0.85 * 500 < found[0] <= 500


def test_weights_that_never_changed_are_one_observation_each() -> None:
    assert independent_values(np.full(100, 0.5), np.zeros(100)) == (1.0, 1.0)
    assert compare(np.full(100, 0.5), np.zeros(100), 10).score < LOW


def test_volatile_days_that_follow_each_other_are_worth_less() -> None:
    random = np.random.default_rng(5)
    size = np.repeat(random.choice([1.0, 5.0], 100), 10)
    returns = size * random.choice([-1.0, 1.0], 1_000)
    assert max(independent_values(returns[:500], returns[500:])) < 100


def test_few_values_give_no_score_and_say_so() -> None:
    returns, signals = SplitSeries(500, 500), SplitSeries(500, 500)
    for close in range(2 * VALUES_MIN):
        signals.append(close, 0.5)
    features = feature_drifts(returns, signals, 10)
    assert [one.feature for one in features] == list(Feature)
    assert [math.isnan(one.score) for one in features] == [True, True, False]
    assert features[0].lack == "there are 0 returns while invested; 200 are needed"
    assert features[2].score == 0.0
