"""The two-sample Kolmogorov–Smirnov statistic, against scipy's."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from stratvector.drift.kolmogorov_smirnov import distance_p_value, kolmogorov_smirnov
from stratvector.drift.samples import BadSample, Values

numbers = st.one_of(st.floats(-1e9, 1e9), st.sampled_from([0.0, 0.5, 1.0]))
samples = st.lists(numbers, min_size=1, max_size=50).map(lambda v: np.array(v, np.float64))


@given(samples, samples)
def test_the_statistic_is_scipys_with_ties_too(reference: Values, window: Values) -> None:
    with warnings.catch_warnings(action="ignore"):  # scipy's p-value of a handful of values
        expected = stats.ks_2samp(reference, window, method="asymp").statistic
    assert kolmogorov_smirnov(reference, window) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("z", [0.05, 0.2, 0.5, 0.8, 1.0, 1.17, 1.18, 1.19, 1.5, 2.0, 3.0, 5.0])
def test_the_p_value_is_kolmogorovs_limiting_law(z: float) -> None:
    distance = z * math.sqrt(1 / 300 + 1 / 200)
    expected = float(stats.kstwobign.sf(z))
    assert distance_p_value(distance, 300, 200) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("seed", range(8))
def test_the_p_value_is_near_scipys_on_samples(seed: int) -> None:
    random = np.random.default_rng(seed)
    reference, window = random.normal(size=500), random.normal(0.1 * seed / 4, 1.0, size=500)
    expected = stats.ks_2samp(reference, window, method="asymp")
    found = distance_p_value(kolmogorov_smirnov(reference, window), 500, 500)
    assert found == pytest.approx(float(expected.pvalue), rel=0.12, abs=1e-4)


def test_no_distance_is_no_surprise_and_the_whole_distance_is_a_large_one() -> None:
    assert distance_p_value(0.0, 10, 10) == 1.0
    assert 0 <= distance_p_value(1.0, 500, 500) < 1e-200


@given(samples, samples)
def test_the_statistic_is_symmetric_and_lies_between_0_and_1(first: Values, second: Values) -> None:
    found = kolmogorov_smirnov(first, second)
    assert 0.0 <= found <= 1.0
    assert found == kolmogorov_smirnov(second, first)
    assert kolmogorov_smirnov(first, first) == 0.0


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_larger_distance_is_never_more_probable(a: float, b: float, n: int, m: int) -> None:
    low, high = sorted((a, b))
    assert distance_p_value(high, n, m) <= distance_p_value(low, n, m) + 1e-12


def test_a_sample_with_a_nan_is_refused() -> None:
    with pytest.raises(BadSample, match="reference holds nan"):
        kolmogorov_smirnov(np.array([math.nan]), np.ones(2))
