"""Strategies in events: what a context shows, what is remembered, and what is refused."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from types import new_class
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.strategies import (
    Bars,
    Context,
    EventStrategy,
    Floats,
    Strategy,
    bars_of,
    create,
    per_symbol,
    register,
    require,
    scan,
    trial_bars,
)
from stratvector.strategies.bad_strategy import (
    BadDeclaration,
    BadTarget,
    ImpossibleParameter,
    UndeclaredState,
    WrongParameterType,
)
from stratvector.strategies.trial_bars import scrambled_after
from stratvector.trading.engine.scan import run_scan
from stratvector.trading.live_model import LiveModel
from stratvector.trading.strategy import feature_rows


class Trailing(EventStrategy):
    """In above the average, out a share below the highest close since; counts its closes."""

    window: int = 4
    trail: float = 0.05
    history = "window"
    state = {"closes": 0.0, "highest": per_symbol(float("nan"))}  # noqa: RUF012

    def on_bar(self, context: Context) -> None:
        average = context.indicators.sma(self.window)
        highest = context.state["highest"]
        context.state["closes"] += 1
        for symbol in context.symbols:
            close = context.close[symbol]
            if context.position(symbol) == 0.0 and close > average[symbol]:
                context.buy(symbol)
                highest[symbol] = close
            elif close < highest[symbol] * (1.0 - self.trail):
                context.sell(symbol)
            highest[symbol] = max(close, highest[symbol])


class Weekly(EventStrategy):
    """Half in each symbol above the range of its last week, by arrays of the last closes too."""

    history = 14

    def on_bar(self, context: Context) -> None:
        week = context.higher("1W")
        spread = np.nanmean(context.bars.high) - np.nanmean(context.bars.low)
        average = week.indicators.sma(1)
        for symbol in context.symbols:
            is_above = context.close[symbol] + 0.0 * spread > max(average[symbol], week.low[symbol])
            context.target(symbol, 0.5 if is_above else 0.0)


class WindowedTrailing(Trailing):
    """The same, each close from its window alone."""

    windowed = True


MODELS = [Trailing(), Trailing(window=1, trail=0.2), Weekly(), WindowedTrailing()]


def live(strategy: Strategy, bars: Bars) -> tuple[Floats, Floats, tuple[float, ...]]:
    """Weights and confidence of a live model close by close, and its memory at the end; at every
    close a new one goes on from what the one before would publish.
    """
    model, rows = LiveModel(strategy, bars.symbols), []
    for t in range(len(bars)):
        model.observe(bars.closed(t, "u", "1D"))
        rows.append([(row.weight, row.confidence) for row in model.rows()])
    told = np.array(rows)
    return told[:, :, 0].copy(), told[:, :, 1].copy(), model.state


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.3, 0.7]), symbols=st.integers(1, 3)
)
def test_a_live_model_says_to_the_bit_what_a_backtest_says(
    model: Strategy, seed: int, gaps: float, symbols: int
) -> None:
    bars = trial_bars(45, symbols, seed, gaps)
    whole = scan(model, bars)
    weights, confidence, state = live(model, bars)
    assert weights.tobytes() == whole.weights.tobytes()
    assert confidence.tobytes() == whole.confidence.tobytes()
    assert np.array(state).tobytes() == whole.states[-1].tobytes()


def folded(strategy: Strategy, bars: Bars, row: int, state: Floats | None = None) -> list[bytes]:
    """Weights, confidence and memory at one close."""
    return [values[row].tobytes() for values in scan(strategy, bars, state)]


def is_causal(strategy: Strategy, bars: Bars) -> bool:
    """Whether nothing up to a close changes with what comes after it."""
    return all(
        folded(strategy, bars, t) == folded(strategy, scrambled_after(bars, t, 0), t)
        for t in range(strategy.history - 1, len(bars) - 1)
    )


def is_bounded(strategy: Strategy, bars: Bars) -> bool:
    """Whether the last `history` closes and the memory before them give what the whole gives."""
    history, states = strategy.history, scan(strategy, bars).states
    return all(
        folded(strategy, bars, t)
        == folded(strategy, bars.window(t - history + 1, t + 1), -1, states[t - 1])
        for t in range(history, len(bars))
    )


@pytest.mark.parametrize("model", MODELS)
def test_event_strategies_are_causal_and_remember_their_state_and_history_alone(
    model: Strategy,
) -> None:
    bars = trial_bars(40, 2, gaps=0.3)
    assert is_causal(model, bars)
    assert is_bounded(model, bars)


def test_an_indicator_over_more_closes_than_the_history_is_found() -> None:
    class Longer(EventStrategy):
        history = 3

        def on_bar(self, context: Context) -> None:
            average = context.indicators.sma(4)
            for symbol in context.symbols:
                context.target(symbol, 0.2 if context.close[symbol] > average[symbol] else 0.0)

    bars = trial_bars(40, 2)
    assert is_causal(Longer(), bars)
    assert not is_bounded(Longer(), bars)


def test_a_scan_goes_on_from_a_memory() -> None:
    bars = trial_bars(40, 2)
    whole = scan(Trailing(), bars)
    later = scan(Trailing(), bars.window(20 - 3, 40), whole.states[19])
    assert later.weights[3:].tobytes() == whole.weights[20:].tobytes()
    assert later.states[3:].tobytes() == whole.states[20:].tobytes()


def test_a_sweep_gives_each_parameter_set_what_it_gives_alone() -> None:
    bars = trial_bars(60, 2)
    for kind in (Trailing, WindowedTrailing):
        models = [kind(window=w) for w in (2, 5, 2)]
        for model, swept in zip(models, kind.scans_of_each(models, bars), strict=True):
            assert swept.weights.tobytes() == scan(model, bars).weights.tobytes()


def test_many_closes_of_many_symbols_are_read_chunk_after_chunk() -> None:
    bars = trial_bars(700, 40)
    whole = scan(Trailing(), bars)
    assert whole.weights.tobytes() == scan(WindowedTrailing(), bars).weights.tobytes()


def test_a_class_without_a_decorator_is_a_frozen_strategy_with_parameters() -> None:
    model: Strategy = Trailing(window=7)
    assert (model.name, model.history) == ("Trailing", 7)
    assert model == Trailing(7, trail=0.05) != Trailing()
    assert model.parameters().tolist() == [7.0, 0.05]
    assert pickle.loads(pickle.dumps(model)) == model
    register(Trailing)
    assert create("Trailing", {"window": 7}, 1) == model


def test_a_class_may_stand_on_another_and_change_a_default_its_history_and_what_it_adds() -> None:
    class Slower(Trailing):
        window: int = 9
        pause: float = 1.0

    models: list[Strategy] = [Slower(), Slower(window=3)]
    assert [(model.name, model.history) for model in models] == [("Slower", 9), ("Slower", 3)]
    assert models[0].parameters().tolist() == [9.0, 0.05, 1.0]
    assert models[0].initial_state(2).size == 2 + 1 + 2


class Script(EventStrategy):
    """Does what it is told at each close."""

    history = 1
    does: Any = None
    state = {"one": 1.0, "each": per_symbol(2.0)}  # noqa: RUF012

    def on_bar(self, context: Context) -> None:
        self.does(context)


def weights_of(does: Any, bars: Bars) -> list[list[float]]:
    weights: list[list[float]] = scan(Script(does=does), bars).weights.tolist()
    return weights


def test_a_target_stays_until_it_is_changed() -> None:
    def does(context: Context) -> None:
        if context.close["A"] == 2.0:
            context.target("A", 0.25)

    assert weights_of(does, bars_of(A=[1, 2, 3, 4])) == [[0.0], [0.25], [0.25], [0.25]]


def test_buy_and_sell_move_targets_by_a_weight_or_to_an_equal_part_and_to_nothing() -> None:
    steps: Iterator[Callable[[Context], None]] = iter(
        [
            lambda c: c.buy("A"),
            lambda c: c.buy("A"),
            lambda c: c.buy("A", weight=0.25),
            lambda c: c.sell("A", weight=0.5),
            lambda c: c.sell("A"),
            lambda c: c.sell("A", 0.5),
            lambda c: c.sell("A"),
            lambda c: c.buy("A"),
        ]
    )
    weights = weights_of(
        lambda context: next(steps)(context), bars_of(A=range(1, 9), B=range(1, 9))
    )
    assert [row[0] for row in weights] == [0.5, 0.5, 0.75, 0.25, 0.0, -0.5, -0.5, 0.5]


def test_a_symbol_whose_bar_is_missing_has_a_nan_weight_and_keeps_its_target() -> None:
    def does(context: Context) -> None:
        context.buy("A")

    weights = np.array(weights_of(does, bars_of(A=[1, None, 3])))[:, 0]
    np.testing.assert_array_equal(weights, [1.0, np.nan, 1.0])


def test_a_context_shows_time_position_closes_and_the_last_history_closes_as_arrays() -> None:
    seen: list[Any] = []

    class Looks(EventStrategy):
        history = 2

        def on_bar(self, context: Context) -> None:
            arrays = context.bars.close.tolist(), context.bars.close_times.tolist()
            seen.append((context.time, context.position("A"), context.close["A"], *arrays))
            context.target("A", 0.5)

    bars = bars_of(A=[1, 2, 3])
    times = bars.close_times.tolist()
    scan(Looks(), bars)
    assert seen == [
        (times[1], 0.0, 2.0, [[1.0], [2.0]], times[:2]),
        (times[2], 0.5, 3.0, [[2.0], [3.0]], times[1:]),
    ]


def test_a_memory_is_a_number_per_model_or_per_symbol() -> None:
    def does(context: Context) -> None:
        context.state["one"] += 1
        context.state["each"]["B"] *= 2

    states = scan(Script(does=does), bars_of(A=[1, 2], B=[1, 2])).states
    assert states.tolist() == [[0, 0, 2, 2, 4], [0, 0, 3, 2, 8]]


@pytest.mark.parametrize(
    ("does", "error", "sentence"),
    [
        (lambda c: c.target("AA", 0.1), BadTarget, "'AA' is not a symbol of the bars; did you me"),
        (lambda c: c.position("Q"), BadTarget, "on_bar of Script: 'Q' is not a symbol of the bar"),
        (lambda c: c.target("AAA", float("nan")), BadTarget, "weight of AAA is nan, but it must"),
        (lambda c: c.target("AAA", float("inf")), BadTarget, "weight of AAA is inf, but it must"),
        (lambda c: c.target("AAA", "0.5"), BadTarget, "weight of AAA is '0.5', but it must be a f"),
        (lambda c: c.target("AAA", True), BadTarget, "weight of AAA is True, but it must be a fin"),
        (lambda c: c.target("AAA", np.ones(1)), BadTarget, "weight of AAA is array([1.]), but it"),
        (lambda c: c.buy("AAA", 0.0), BadTarget, "is 0.0, but what is bought or sold must be abo"),
        (lambda c: c.sell("AAA", -0.1), BadTarget, "is -0.1, but what is bought or sold must be "),
        (lambda c: c.state["ones"], UndeclaredState, "context.state has no 'ones': Script must d"),
        (lambda c: c.state.__setitem__("on", 1.0), UndeclaredState, "did you mean one?"),
        (lambda c: c.state.__setitem__("one", "1"), BadTarget, "state 'one' is '1', but it must "),
        (lambda c: c.state.__setitem__("each", 1.0), BadTarget, "state 'each' is per symbol"),
        (lambda c: c.state["each"]["Q"], BadTarget, "'Q' is not a symbol of the bars"),
        (lambda c: c.indicators.smaa(3), AttributeError, "did you mean sma?"),
        (lambda c: c.indicators.roc([3]), TypeError, "in on_bar it takes numbers and names"),
        (lambda c: c.higher("2D"), ValueError, "timeframe '2D' is unknown"),
    ],
)
def test_what_on_bar_may_not_do_is_refused_in_one_sentence(
    does: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refused:
        scan(Script(does=does), bars_of(AAA=[1, 2], B=[1, 2]))
    assert sentence in str(refused.value)
    assert refused.value.__notes__ == ["in on_bar of Script at the close 1970-01-02T00:00:00Z"]


def test_a_wrong_symbol_in_values_is_told_with_the_nearest() -> None:
    with pytest.raises(KeyError) as refused:
        scan(Script(does=lambda c: c.close["AAB"]), bars_of(AAA=[1]))
    assert refused.value.__notes__[1] == "'AAB': did you mean AAA?"


def test_what_is_put_on_self_is_refused_with_where_it_belongs() -> None:
    class Forgetful(EventStrategy):
        history = 1

        def on_bar(self, context: Context) -> None:
            self.entered = 1.0

    with pytest.raises(FrozenInstanceError, match=r"Forgetful sets self\.entered to 1\.0.*state"):
        scan(Forgetful(), bars_of(A=[1]))


def test_whoever_goes_past_the_fold_is_refused_and_does_not_trade_closes_as_weights() -> None:
    rows = feature_rows(Weekly(), bars_of(A=range(1, 30)))
    with pytest.raises(ValueError):  # noqa: PT011 -- compiled code has no sentence of its own
        run_scan(Weekly.decide, rows, np.zeros(0), np.zeros(1), 13)


def test_bars_of_no_close_or_no_symbol_have_no_decision() -> None:
    for bars in (trial_bars(20).window(0, 0), trial_bars(20).select([])):
        assert scan(Script(does=lambda context: None), bars).weights.shape == bars.close.shape


def test_a_memory_outside_of_state_is_found() -> None:
    counted: list[int] = []

    class Hiding(EventStrategy):
        history = 1

        def on_bar(self, context: Context) -> None:
            counted.append(1)
            context.target("TRIAL0", len(counted) % 7 / 10.0)

    assert not is_bounded(Hiding(), trial_bars(10))


def test_parameters_are_checked_by_type_by_history_and_by_the_models_own_rule() -> None:
    class Ruled(EventStrategy):
        window: int = 3
        history = "window"

        def check(self) -> None:
            require(self.window < 9, self, f"window {self.window} must be below 9")

        def on_bar(self, context: Context) -> None:
            """Nothing."""

    with pytest.raises(WrongParameterType, match="window of Ruled is 'x'; it must be a whole"):
        Ruled(window="x")  # type: ignore[arg-type]
    with pytest.raises(ImpossibleParameter, match="its history is 0 for window=0"):
        Ruled(window=0)
    with pytest.raises(ImpossibleParameter, match=r"^model Ruled is impossible: window 9 must be"):
        Ruled(window=9)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"history": "window"}, "its history names 'window', which is no parameter"),
        ({"history": 1.5}, "its history is 1.5, but it must be a number of closes"),
        ({"history": 1, "state": {"one": "x"}}, "state 'one' begins as 'x', but it must be a num"),
        ({"history": 1, "state": [1]}, "its state is [1], but it must be a dict of numbers"),
        ({"history": 1, "__annotations__": {"decide": int}}, "'decide' is a part of every strat"),
        ({"history": 1, "__annotations__": {"on_bar": int}}, "'on_bar' is a part of every strat"),
        ({"history": 1, "__annotations__": {"a": list}, "a": []}, "mutable default"),
    ],
)
def test_a_class_that_declares_no_strategy_is_refused(body: Any, sentence: str) -> None:
    with pytest.raises(BadDeclaration) as refused:
        new_class("Wrong", (EventStrategy,), {}, lambda facts: facts.update(body))
    assert sentence in str(refused.value)
