"""The curve's memory is bounded, and its drawdown is exact whatever was merged."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratvector.services.gateway.curve import POINTS_MAX, Curve


def drawn(values: list[float], start: float = 100.0) -> Curve:
    curve = Curve(start)
    for close, value in enumerate(values):
        curve.append(close, value)
    return curve


@given(st.integers(1, 9_000), st.integers(0, 2**32 - 1))
def test_a_curve_of_any_length_has_bounded_points_and_the_exact_deepest_fall(
    closes: int, seed: int
) -> None:
    steps = np.random.default_rng(seed).normal(0.0, 0.02, closes)
    values = (100.0 * np.cumprod(1.0 + steps)).tolist()
    curve, points = drawn(values), drawn(values).points()
    peaks = np.maximum.accumulate(np.concatenate(([100.0], values)))[1:]
    falls = np.asarray(values) / peaks - 1.0
    assert len(points) <= POINTS_MAX
    assert len(points) == closes or len(points) > POINTS_MAX // 2
    assert curve.drawdown == falls[-1]
    assert curve.max_drawdown == min(0.0, falls.min())
    assert min(point.drawdown for point in points) == falls.min()
    assert (points[-1].close_time, points[-1].value) == (closes - 1, values[-1])
    times = [point.close_time for point in points]
    assert times == sorted(set(times))


def test_a_value_that_is_no_number_is_left_out() -> None:
    curve = drawn([110.0, math.nan, math.inf, 99.0])
    assert curve.closes == 2
    assert [point.value for point in curve.points()] == [110.0, 99.0]
    assert curve.drawdown == 99.0 / 110.0 - 1.0


def test_a_fall_below_the_start_is_a_drawdown_from_the_start() -> None:
    assert drawn([80.0]).drawdown == 80.0 / 100.0 - 1.0
    assert drawn([120.0]).drawdown == 0.0
