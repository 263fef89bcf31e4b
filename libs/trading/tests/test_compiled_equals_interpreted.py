"""The compiled engine and the same lines run by Python give the same bits."""

import math
import struct
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.engine import allocation, arithmetic, limits, matching, session
from stratvector.trading.engine_rules import rules_of
from tests.sessions.generated_sessions import generated_session
from tests.sessions.interpreted import interpreted_modules
from tests.sessions.wild_sessions import wild_session

(
    python_replay,
    python_allocation,
    python_arithmetic,
    python_limits,
    python_matching,
    python_generated,
    python_wild,
) = interpreted_modules(
    "stratvector.trading.replay",
    "stratvector.trading.engine.allocation",
    "stratvector.trading.engine.arithmetic",
    "stratvector.trading.engine.limits",
    "stratvector.trading.engine.matching",
    "tests.sessions.generated_sessions",
    "tests.sessions.wild_sessions",
)

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
prices = st.floats(1e-8, 1e8)
lots = st.integers(-(2**50), 2**50)


def bits(value: Any) -> Any:
    """A number as it lies in memory; every NaN is the same one."""
    if isinstance(value, tuple):
        return tuple(bits(v) for v in value)
    if isinstance(value, float | np.floating):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return int(value)


def assert_equal_journals(compiled: replay.Outcome, by_python: Any) -> None:
    for name, array in compiled.journal._asdict().items():
        assert array.tobytes() == getattr(by_python.journal, name).tobytes(), name


@pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT),  # type: ignore[attr-defined]
    reason="both copies are run by Python",
)
def test_the_second_copy_is_not_compiled() -> None:
    compiled = session.run_recorded
    assert isinstance(compiled, numba.core.registry.CPUDispatcher)
    assert not isinstance(python_replay.run_recorded, numba.core.registry.CPUDispatcher)
    assert python_replay.run_recorded.__code__.co_code == compiled.py_func.__code__.co_code


@settings(max_examples=30)
@given(st.integers(0, 10**9))
def test_a_generated_session_gives_the_same_bits(seed: int) -> None:
    by_python = python_replay.run(python_generated.generated_session(seed))
    assert_equal_journals(replay.run(generated_session(seed)), by_python)


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_a_wild_session_gives_the_same_bits(seed: int) -> None:
    by_python = python_replay.run(python_wild.wild_session(seed))
    assert_equal_journals(replay.run(wild_session(seed)), by_python)


def with_keeper(module: Any) -> Any:
    """A copy of `replay` whose last model keeps what the first one buys, if there are two."""
    real = module.rules_of

    def rules(portfolio: Any) -> Any:
        found, models = real(portfolio), len(portfolio.models)
        if models == 1:
            return found
        gives = np.zeros((len(portfolio.symbols), models), np.bool_)
        gives[:, 0] = True
        budget = found.budget.copy()
        budget[-1] = 0.0  # it wants lots alone
        return found._replace(keeper=models - 1, gives=gives, budget=budget)

    return patch.object(module, "rules_of", rules)


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_lots_that_are_kept_give_the_same_bits(seed: int) -> None:
    with with_keeper(replay), with_keeper(python_replay):
        by_python = python_replay.run(python_wild.wild_session(seed))
        assert_equal_journals(replay.run(wild_session(seed)), by_python)


@pytest.mark.parametrize("units", [1.0, 100.0, 1e6, 1e9])
@given(value=finite.filter(lambda v: abs(v) < 1e15))
@example(value=-0.0)
@example(value=2.5)
@example(value=-1.015)
@example(value=float("nan"))
def test_rounding_to_the_grid_gives_the_same_bits(units: float, value: float) -> None:
    by_python = python_arithmetic.round_to_grid(np.float64(value), np.float64(units))
    assert bits(arithmetic.round_to_grid(value, units)) == bits(by_python)


@given(st.floats(-(2.0**53), 2.0**53))
def test_whole_lots_of_a_number_are_the_same(value: float) -> None:
    assert arithmetic.whole(value) == python_arithmetic.whole(value) == math.trunc(value)


@given(st.integers(0, 2**57), st.integers(0, 2**57), st.integers(1, 2**58 - 1))
def test_shares_of_large_numbers_are_exact_in_both(amount: int, share: int, whole: int) -> None:
    amount, share = min(amount, whole), min(share, whole)
    exact = divmod(amount * share, whole)
    assert allocation.share_of(amount, share, whole) == exact
    assert python_allocation.share_of(amount, share, whole) == exact


@given(lots, st.lists(st.integers(0, 2**40), min_size=2, max_size=5).filter(any))
def test_apportioned_parts_are_the_same(total: int, shares: list[int]) -> None:
    def parts(apportion: Callable[..., None]) -> list[int]:
        out = np.zeros(len(shares), np.int64)
        apportion(total, np.array(shares, np.int64), out, session.indices(len(shares)))
        return [int(part) for part in out]

    assert parts(allocation.apportion) == parts(python_allocation.apportion)


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=5))
def test_targets_rounded_over_models_are_the_same(wanted: list[float]) -> None:
    def parts(whole_lots: Callable[..., None]) -> list[int]:
        floors = np.floor(np.array(wanted))
        out = floors.astype(np.int64)
        whole_lots(int(sum(wanted)), np.array(wanted) - floors, out, session.indices(len(wanted)))
        return [int(part) for part in out]

    assert parts(allocation.whole_lots) == parts(python_allocation.whole_lots)


@given(finite, st.floats(1e-9, 1e300), st.floats(0, 1e3))
def test_factors_of_caps_give_the_same_bits(cap: float, planned: float, held: float) -> None:
    compiled = limits.factor_for(cap, planned, held)
    assert bits(compiled) == bits(python_limits.factor_for(cap, planned, held))


@given(
    lots.filter(bool).map(lambda n: n // 2**20),
    prices,
    st.one_of(st.just(math.nan), prices),
    st.one_of(st.just(math.nan), st.floats(0, 1e9)),
    st.integers(0, 30),
)
def test_matched_executions_give_the_same_bits(
    order: int, reference: float, price: float, volume: float, seed: int
) -> None:
    rules = rules_of(wild_session(seed).portfolio)
    compiled = matching.match_market(order, reference, price, volume, 0, rules)
    by_python = python_matching.match_market(order, reference, np.float64(price), volume, 0, rules)
    assert bits(compiled) == bits(by_python)
