"""The population stability index: hand-computed values, ties, empty cells, and its distribution."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from stratvector.drift.population_stability_index import (
    StabilityIndex,
    index_noise,
    index_p_value,
    population_stability_index,
)
from stratvector.drift.samples import BadSample, Values

numbers = st.floats(-1e6, 1e6)
samples = st.lists(numbers, min_size=1, max_size=60).map(lambda v: np.array(v, np.float64))
few_values = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=60).map(np.array)


def by_hand(expected: list[int], found: list[int]) -> float:
    """The formula, spelled out, with half a value more in each cell."""
    total = 0.0
    for e, f in zip(expected, found, strict=True):
        p = (e + 0.5) / (sum(expected) + 0.5 * len(expected))
        q = (f + 0.5) / (sum(found) + 0.5 * len(found))
        total += (p - q) * math.log(p / q)
    return total


def repeated(counts: dict[float, int]) -> Values:
    return np.repeat(list(counts), list(counts.values())).astype(np.float64)


def test_the_cells_are_quantiles_of_the_reference_closed_above() -> None:
    reference = np.arange(1.0, 81.0)  # cells end at 20, 40 and 60
    window = np.array([-5.0, 20.0, 20.5, 40.0, 45.0, 60.0, 99.0, 99.0])
    index = population_stability_index(reference, window, bins=4)
    assert index.cells == 4
    assert index.value == pytest.approx(by_hand([20] * 4, [2, 2, 2, 2]), abs=1e-15)
    skewed = population_stability_index(reference, np.full(5, 60.5), bins=4)
    assert skewed.value == pytest.approx(by_hand([20] * 4, [0, 0, 0, 5]), rel=1e-12)


def test_a_reference_of_few_values_has_a_cell_for_each_and_one_for_anything_else() -> None:
    reference = repeated({0.0: 70, 0.5: 30})
    same = population_stability_index(reference, repeated({0.5: 15, 0.0: 35}))
    assert same.cells == 2
    assert same.value == pytest.approx(by_hand([70, 30], [35, 15]), rel=1e-12)
    other = population_stability_index(reference, repeated({-1.0: 5, 0.25: 10, 0.5: 5, 9.0: 1}))
    assert other.cells == 3
    assert other.value == pytest.approx(by_hand([70, 30, 0], [0, 5, 16]), rel=1e-12)


def test_a_value_that_is_there_often_does_not_split_into_several_cells() -> None:
    reference = np.concatenate([np.zeros(120), np.arange(1.0, 81.0)])
    index = population_stability_index(reference, reference.copy(), bins=10)
    assert index.value == 0.0
    assert index.cells == 5  # up to 0, and the deciles above it


def test_an_empty_cell_has_a_finite_index() -> None:
    index = population_stability_index(np.zeros(100), np.ones(100))
    assert index.cells == 2
    assert 0 < index.value < 20


def test_a_small_reference_has_fewer_cells() -> None:
    values = np.arange(110.0)
    assert population_stability_index(values, values, bins=10).cells == 5


@given(samples)
def test_a_sample_has_no_distance_from_itself(sample: Values) -> None:
    assert population_stability_index(sample, sample[::-1].copy()).value == 0.0


@given(st.one_of(samples, few_values), st.one_of(samples, few_values))
def test_the_index_is_never_negative_and_always_finite(reference: Values, window: Values) -> None:
    assert 0.0 <= population_stability_index(reference, window).value < math.inf


@given(samples, samples, st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_the_unit_does_not_matter(reference: Values, window: Values, factor: float) -> None:
    plain = population_stability_index(reference, window)
    assert population_stability_index(factor * reference, factor * window) == plain


@given(few_values, few_values, st.randoms())
def test_the_order_does_not_matter(reference: Values, window: Values, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = window.tolist()
    random.shuffle(shuffled)
    plain = population_stability_index(reference, window)
    assert population_stability_index(reference, np.array(shuffled)) == plain


@pytest.mark.parametrize("cells", [2, 3, 4, 7, 10, 20])
@pytest.mark.parametrize("scaled", [0.1, 1.0, 5.0, 20.0, 60.0, 400.0])
def test_its_p_value_is_that_of_chi_squared(cells: int, scaled: float) -> None:
    index = StabilityIndex(scaled * (1 / 500 + 1 / 250), cells)
    expected = float(stats.chi2.sf(scaled, cells - 1))
    assert index_p_value(index, 500, 250) == pytest.approx(expected, rel=1e-9)


def test_an_index_of_one_cell_or_of_zero_is_no_surprise() -> None:
    assert index_p_value(StabilityIndex(3.0, 1), 100, 100) == 1.0
    assert index_p_value(StabilityIndex(0.0, 10), 100, 100) == 1.0


def test_its_noise_is_the_mean_index_of_unchanged_samples(say) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(1)
    found = [
        population_stability_index(random.normal(size=500), random.normal(size=250)).value
        for _ in range(2_000)
    ]
    expected = index_noise(10, 500, 250)
    say(f"PSI of unchanged samples: mean {np.mean(found):.4f}, noise {expected:.4f}")
    error = float(np.std(found)) / math.sqrt(len(found))
    assert abs(float(np.mean(found)) - expected) < 4 * error + 0.05 * expected


@pytest.mark.parametrize(
    ("sample", "rule"),
    [
        (np.array([]), r"window has shape \(0,\); it must be \(n,\) with n >= 1"),
        (np.zeros((2, 2)), r"window has shape \(2, 2\)"),
        (np.array([1.0, math.nan]), "window holds nan; every value must be a finite number"),
        (np.array([math.inf]), "window holds inf; every value must be a finite number"),
    ],
)
def test_a_sample_that_is_none_is_refused(sample: Values, rule: str) -> None:
    with pytest.raises(BadSample, match=rule):
        population_stability_index(np.ones(3), sample)
