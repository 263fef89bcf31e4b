from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.trading.schedule import (
    Schedule,
    UnknownUniverse,
    UnorderedUniverse,
    UnscheduledClose,
    merge,
)
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

times = st.sets(st.integers(0, 60), max_size=20).map(sorted)
universes = st.dictionaries(st.sampled_from(["us", "crypto", "tokyo"]), times, min_size=1)


def scheduled(closes: Mapping[str, list[int]]) -> Schedule:
    return merge({name: np.array(own, dtype=np.int64) for name, own in closes.items()})


@given(universes)
def test_each_universe_gets_back_exactly_its_own_closes(closes: dict[str, list[int]]) -> None:
    schedule = scheduled(closes)
    assert schedule.universes == tuple(closes)
    for name, own in closes.items():
        assert schedule.closes_of(name).tolist() == own


@given(universes)
def test_close_times_are_the_distinct_union_and_each_row_closes_something(
    closes: dict[str, list[int]],
) -> None:
    schedule = scheduled(closes)
    assert schedule.close_times.tolist() == sorted(set().union(*closes.values()))
    assert schedule.closes.any(axis=1).all()
    for index, close_time in enumerate(schedule.close_times.tolist()):
        assert schedule.index(close_time) == index
        expected = tuple(name for name, own in closes.items() if close_time in own)
        assert schedule.universes_at(index) == expected


@given(universes, st.integers(-1, 62))
def test_the_next_close_is_the_first_one_strictly_after(
    closes: dict[str, list[int]], after: int
) -> None:
    schedule = scheduled(closes)
    for name, own in closes.items():
        assert schedule.next_close(name, after) == min((t for t in own if t > after), default=None)


@given(universes, st.integers(-1, 62), st.integers(-1, 62))
def test_between_keeps_the_closes_of_both_ends(
    closes: dict[str, list[int]], start: int, end: int
) -> None:
    part = scheduled(closes).between(start, end)
    for name, own in closes.items():
        assert part.closes_of(name).tolist() == [t for t in own if start <= t <= end]


def test_midnight_belongs_to_the_day_that_it_opens() -> None:
    day = NANOSECONDS_PER_DAY
    schedule = scheduled({"crypto": [-1, 0, day - 1, day]})
    assert schedule.days.tolist() == [-1, 0, 0, 1]


def test_a_time_at_which_nothing_closes_is_refused_by_name() -> None:
    schedule = scheduled({"crypto": [0, NANOSECONDS_PER_DAY]})
    with pytest.raises(UnscheduledClose, match=r"at 1970-01-01T00:00:00\.000000005Z") as error:
        schedule.index(5)
    assert error.value.close_time == 5
    with pytest.raises(UnknownUniverse, match="'us' is not on the schedule: there are crypto"):
        schedule.next_close("us", 0)


@pytest.mark.parametrize("own", [[2, 1], [1, 1]])
def test_close_times_that_do_not_increase_are_refused(own: list[int]) -> None:
    with pytest.raises(UnorderedUniverse, match="'crypto' must be int64 and strictly increase"):
        scheduled({"crypto": own})
