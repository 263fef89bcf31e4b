"""Whole numbers spread over models: the parts add up, whatever the numbers."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stratvector.trading.engine.allocation import apportion, split_fill, whole_lots
from stratvector.trading.engine.session import indices

LARGE = 2**50  # a lot may be a hundred-millionth of a coin: orders of 10^15 lots are real
shares_of_one_sign = st.tuples(
    st.lists(st.integers(0, LARGE), min_size=1, max_size=5).filter(any),
    st.sampled_from([1, -1]),
).map(lambda pair: [pair[1] * share for share in pair[0]])


def apportioned(total: int, shares: list[int]) -> list[int]:
    parts = np.zeros(len(shares), np.int64)
    apportion(total, np.array(shares, np.int64), parts, indices(len(shares)))
    return [int(part) for part in parts]


def filled_in_steps(shares: list[int], steps: list[int]) -> list[list[int]]:
    """Parts of each execution of an order with these shares."""
    given_so_far = np.zeros(len(shares), np.int64)
    order, filled, executions = sum(shares), 0, []
    for lots in steps:
        parts: NDArray[np.int64] = np.zeros(len(shares), np.int64)
        split_fill(
            order,
            filled,
            lots,
            np.array(shares, np.int64),
            given_so_far,
            parts,
            indices(len(shares)),
        )
        given_so_far += parts
        filled += lots
        executions.append([int(part) for part in parts])
    return executions


@st.composite
def orders_in_steps(draw: st.DrawFn, size: int = LARGE) -> tuple[list[int], list[int]]:
    """Shares of one sign, and executions of the same sign that fill the order whole."""
    shares = draw(st.lists(st.integers(0, size), min_size=1, max_size=5).filter(any))
    sign = draw(st.sampled_from([1, -1]))
    cuts = sorted(draw(st.lists(st.integers(0, sum(shares)), max_size=6)))
    stops = [*cuts, sum(shares)]
    steps = [b - a for a, b in zip([0, *cuts], stops, strict=True) if b > a]
    return [sign * share for share in shares], [sign * step for step in steps]


@given(total=st.integers(-LARGE, LARGE), shares=shares_of_one_sign)
def test_parts_sum_to_the_total_with_its_sign(total: int, shares: list[int]) -> None:
    parts = apportioned(total, shares)
    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)


@given(total=st.integers(-LARGE, LARGE), shares=shares_of_one_sign)
def test_each_part_is_its_quota_rounded_down_or_up(total: int, shares: list[int]) -> None:
    whole = abs(sum(shares))
    for part, share in zip(apportioned(total, shares), shares, strict=True):
        quota = Fraction(abs(total) * abs(share), whole)
        assert quota - 1 < abs(part) < quota + 1


def test_a_tie_of_remainders_goes_to_the_model_that_is_configured_first() -> None:
    assert apportioned(1, [5, 5]) == [1, 0]
    assert apportioned(-2, [7, 7, 7]) == [-1, -1, 0]


def test_the_largest_remainder_gets_the_odd_lot() -> None:
    assert apportioned(10, [333, 333, 334]) == [3, 3, 4]


@given(orders_in_steps())
def test_the_parts_of_executions_sum_to_each_and_the_order_is_split_exactly(
    order: tuple[list[int], list[int]],
) -> None:
    shares, steps = order
    executions = filled_in_steps(shares, steps)
    assert [sum(parts) for parts in executions] == steps
    assert [sum(column) for column in zip(*executions, strict=True)] == shares


@given(orders_in_steps(size=1000))
def test_no_execution_takes_a_lot_back_nor_gives_a_model_more_than_its_share(
    order: tuple[list[int], list[int]],
) -> None:
    shares, steps = order
    given_so_far = [0] * len(shares)
    for parts in filled_in_steps(shares, steps):
        assert all(part * steps[0] >= 0 for part in parts)
        given_so_far = [a + b for a, b in zip(given_so_far, parts, strict=True)]
        assert all(abs(has) <= abs(share) for has, share in zip(given_so_far, shares, strict=True))


def test_a_lot_more_never_costs_a_model_one_where_plain_largest_remainders_would() -> None:
    # shares 6, 6, 2: of 10 lots plain largest remainders give 4, 4, 2, of 11 they give 5, 5, 1
    assert apportioned(10, [6, 6, 2]) == [4, 4, 2]
    assert apportioned(11, [6, 6, 2]) == [5, 5, 1]
    assert filled_in_steps([6, 6, 2], [10, 1]) == [[4, 4, 2], [1, 0, 0]]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_whole_lots_sum_to_the_target_and_move_no_model_by_a_whole_lot(
    wanted: list[float],
) -> None:
    total = int(sum(wanted))
    floors = np.floor(np.array(wanted))
    parts = floors.astype(np.int64)
    whole_lots(total, np.array(wanted) - floors, parts, indices(len(wanted)))
    assert int(parts.sum()) == total
    for part, wish in zip(parts.tolist(), wanted, strict=True):
        assert abs(part - wish) <= 1.0 + 1e-6


def test_a_model_that_wants_nothing_gets_nothing() -> None:
    parts = np.array([-1, -1, 0], np.int64)
    whole_lots(-1, np.array([0.4, 0.4, 0.0]), parts, indices(3))
    assert parts.tolist() == [0, -1, 0]
