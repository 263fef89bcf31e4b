"""A model's series and its watch: which values are taken, how they are split, what is kept."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.drift import DriftRules, Feature, ModelWatch
from stratvector.drift.model_series import ModelSeries, ModelValues
from stratvector.drift.rules import VALUES_MIN
from stratvector.drift.split_series import SplitSeries
from stratvector.trading.bars import ClosedBars
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.unfit import OtherRows

HOUR = 3_600 * 10**9
SYMBOLS = ("A", "B")
NAN = math.nan
SMALL = DriftRules(reference_closes=VALUES_MIN, window_closes=VALUES_MIN)


def closed(close_time: int, prices: Sequence[float]) -> ClosedBars:
    price = np.array(prices, dtype=np.float64)
    return ClosedBars("u", "1H", close_time, SYMBOLS, price, price, price, price, price * 0 + 1)


def signals(
    close_time: int, weights: Sequence[float], reason: SignalReason = SignalReason.NONE
) -> Signals:
    rows = tuple(
        SignalRow(symbol, weight, 1.0, Action.HOLD, reason)
        for symbol, weight in zip(SYMBOLS, weights, strict=True)
    )
    return Signals("p", "m", "1", close_time, rows, (), "bars")


def taken(
    closes: Sequence[tuple[Sequence[float], Sequence[float]]],
) -> list[ModelValues]:
    """What each close of (prices, weights) adds."""
    series = ModelSeries(SYMBOLS)
    return [
        series.take(closed(t, prices), signals(t, weights))
        for t, (prices, weights) in enumerate(closes)
    ]


def returns(closes: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[float | None]:
    return [values.returns for values in taken(closes)]


def test_a_return_is_that_of_the_weights_of_the_close_before() -> None:
    found = returns([((10, 20), (0.5, -0.25)), ((11, 22), (0, 0)), ((99, 99), (0, 0))])
    assert found == [None, pytest.approx(0.5 * 0.1 - 0.25 * 0.1), None]


def test_a_close_at_which_nothing_was_held_has_no_return_but_a_signal() -> None:
    found = taken([((10, 20), (0.0, 0.0)), ((11, 22), (0.0, 0.5))])
    assert found == [ModelValues(None, 0.0), ModelValues(None, 0.5)]


def test_a_missing_bar_adds_nothing_and_the_next_one_the_whole_way() -> None:
    held = (0.5, 0.5)
    found = returns(
        [
            ((10, 20), held),
            ((NAN, 22), held),
            ((12, 22), held),
            ((NAN, NAN), held),
            ((12, 33), held),
        ]
    )
    assert found == [None, pytest.approx(0.05), pytest.approx(0.1), None, pytest.approx(0.25)]


def test_a_symbol_without_a_bar_so_far_has_no_return_yet() -> None:
    held = (0.0, 1.0)
    found = returns([((10, NAN), held), ((10, 20), held), ((10, 30), held)])
    assert found == [None, None, pytest.approx(0.5)]


def test_a_weight_that_is_nan_keeps_the_one_before_for_three_closes() -> None:
    prices = [(float(p), 1.0) for p in (10, 20, 40, 80, 160, 320, 640)]
    weights = [(0.5, 0.0), *[(NAN, 0.0)] * 5, (math.inf, 0.0)]
    found = taken(list(zip(prices, weights, strict=True)))
    assert [v.returns for v in found] == [None, 0.5, 0.5, 0.5, 0.5, None, None]
    assert [v.signals for v in found] == [0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0]


def test_no_signal_counts_while_the_model_warms_up() -> None:
    series = ModelSeries(SYMBOLS)
    warming = signals(0, (0.0, 0.0), SignalReason.WARMING_UP)
    assert series.take(closed(0, (10, 20)), warming) == ModelValues(None, None)
    assert series.take(closed(1, (10, 20)), signals(1, (0.0, 0.0))).signals == 0.0
    missing = signals(2, (NAN, NAN), SignalReason.MISSING_DATA)
    assert series.take(closed(2, (10, 20)), missing).signals == 0.0


def test_equal_weights_in_another_order_are_one_signal() -> None:
    first, second = taken([((1, 1), (0.1, 0.2)), ((1, 1), (0.3, 0.0))])
    assert first.signals == second.signals == 0.3
    assert math.copysign(1.0, taken([((1, 1), (-0.0, -0.0))])[0].signals or 0.0) == 1.0


def test_signals_of_other_symbols_are_refused() -> None:
    strange = replace(signals(0, (0, 0)), rows=signals(0, (0, 0)).rows[:1])
    with pytest.raises(OtherRows, match="signals of m must have rows of A, B; they have A"):
        ModelSeries(SYMBOLS).take(closed(0, (1, 1)), strange)


@given(st.integers(0, 120), st.integers(1, 30), st.integers(1, 30))
def test_reference_and_window_never_overlap_and_hold_the_first_and_the_last(
    count: int, reference_max: int, window_max: int
) -> None:
    series = SplitSeries(reference_max, window_max)
    for close in range(count):
        series.append(close, float(close))
    reference, window = series.split()
    first = min(reference_max, count // 2)
    assert reference.values.tolist() == list(range(first))
    assert window.values.tolist() == list(range(count))[first:][-window_max:]
    assert (reference.span.count, window.span.count) == (first, len(window.values))
    assert series.kept <= reference_max + window_max
    assert len(series) == count


def test_spans_name_the_first_and_the_last_close() -> None:
    series = SplitSeries(2, 3)
    for close in range(10):
        series.append(close * HOUR, 0.0)
    spans = [sample.span for sample in series.split()]
    assert [(s.first, s.last, s.count) for s in spans] == [(0, HOUR, 2), (7 * HOUR, 9 * HOUR, 3)]


def walk(seed: int, closes: int, wild_from: int | None = None) -> list[tuple[ClosedBars, Signals]]:
    """Random prices under weights of 0 and 0.5; from a close on, of twice the volatility."""
    random = np.random.default_rng(seed)
    steps = random.normal(0.0, 0.01, (closes, 2))
    steps[wild_from if wild_from is not None else closes :] *= 2.0
    prices = 100.0 * np.exp(np.cumsum(steps, axis=0))
    weights = random.choice([0.0, 0.5], (closes, 2))
    return [
        (closed(t * HOUR, p), signals(t * HOUR, w))
        for t, (p, w) in enumerate(zip(prices.tolist(), weights.tolist(), strict=True), start=1)
    ]


def watched(closes: list[tuple[ClosedBars, Signals]], rules: DriftRules) -> ModelWatch:
    watch = ModelWatch("m", SYMBOLS, rules)
    for bars, said in closes:
        watch.take(bars, said)
    return watch


def test_before_there_are_enough_values_there_is_a_reason_instead_of_a_score() -> None:
    nothing = ModelWatch("m", SYMBOLS, SMALL).drift()
    assert (nothing.close_time, math.isnan(nothing.score)) == (0, True)
    young = watched(walk(1, 150), SMALL).drift()
    assert math.isnan(young.score)
    assert young.reason.endswith("; there are 150 signals; 200 are needed")
    assert [one.feature for one in young.features] == list(Feature)


@pytest.mark.parametrize("seed", range(5))
def test_a_watch_finds_a_planted_doubling_of_volatility_and_nothing_where_none_is(
    seed: int,
) -> None:
    rules = DriftRules(reference_closes=500)
    calm = watched(walk(seed, 1_600), rules).drift()
    wild = watched(walk(seed, 1_600, wild_from=900), rules).drift()
    assert (calm.reason, wild.reason) == ("", "")
    assert calm.score < 0.3
    assert wild.score > 0.8
    by_feature = {one.feature: one.score for one in wild.features}
    assert by_feature[Feature.VOLATILITY] == wild.score
    assert by_feature[Feature.SIGNALS] < 0.3


def test_a_watch_is_a_function_of_what_it_took() -> None:
    closes = walk(7, 500)
    first, second = watched(closes, SMALL), ModelWatch("m", SYMBOLS, SMALL)
    for bars, said in closes:
        second.take(bars, said)
        second.drift()  # asking changes nothing
    assert first.drift() == second.drift()
    assert first.close_time == closes[-1][0].close_time


def test_memory_does_not_grow_with_the_session() -> None:
    watch = watched(walk(3, 2_000), SMALL)
    assert watch.kept == 2 * (SMALL.reference_closes + SMALL.window_closes)
