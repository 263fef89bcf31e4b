"""Strategies in a function: what the decorator makes of it, and what it refuses."""

import pickle
from typing import Any

import numpy as np
import pytest

from stratvector.strategies import (
    BadStrategy,
    Floats,
    Indicators,
    Panel,
    bars_of,
    certify,
    create,
    register,
    scan,
    strategy,
    trial_bars,
)
from stratvector.strategies.bad_strategy import BadDeclaration, BadWeights, ImpossibleParameter
from stratvector.strategies.registry import parameter_names
from stratvector.trading.coarser import coarser

BARS = trial_bars(60, 2, seed=3)


@strategy(history="window", check=lambda window, part: 0.0 < part <= 1.0)
def above(bars: Panel, window: int = 5, part: float = 0.5) -> Floats:
    """A part of the budget in each symbol above its average."""
    return np.where(bars.close > bars.indicators.sma(window), part, 0.0)


@strategy(history=lambda days, bars_per_day: days * bars_per_day + 1)
def risen(bars: Panel, days: int = 2, bars_per_day: int = 1) -> Floats:
    """All in what rose over some days."""
    weights = np.zeros(bars.close.shape)
    lag = days * bars_per_day
    weights[lag:] = np.where(bars.close[lag:] > bars.close[:-lag], 0.5, 0.0)
    return weights


@strategy(history=7 * (2 + 1))
def weekly(bars: Panel) -> Floats:
    """Half in each symbol above the average of its last two whole weeks."""
    return np.where(bars.close > bars.higher("1W").indicators.sma(2), 0.5, 0.0)


def test_a_function_becomes_a_strategy_whose_parameters_are_its_own() -> None:
    assert above() == above(window=5, part=0.5) != above(window=6)
    assert (above.name, above().history, above(window=9).history) == ("above", 5, 9)
    assert above.__doc__ == "A part of the budget in each symbol above its average."
    assert parameter_names(above) == ("window", "part")
    assert above(7).parameters().tolist() == [7.0, 0.5]
    assert pickle.loads(pickle.dumps(above(window=8))) == above(window=8)


def test_closes_that_warm_up_are_0_and_missing_bars_nan_without_a_word_of_the_user() -> None:
    weights = scan(above(window=2, part=1.0), bars_of(A=[1, 2, None, 4, 5])).weights[:, 0]
    np.testing.assert_array_equal(weights, [0.0, 1.0, np.nan, 0.0, 1.0])


@pytest.mark.parametrize(
    "model", [above(), above(window=1), risen(), risen(bars_per_day=3), weekly()]
)
def test_functions_earn_both_certificates(model: Any) -> None:
    certificate = certify(model, trial_bars(40, gaps=0.3))
    assert certificate.holds, str(certificate)


def test_a_function_that_looks_ahead_or_says_too_short_a_history_is_found() -> None:
    @strategy(history=1)
    def tomorrow(bars: Panel) -> Floats:
        return np.where(np.roll(bars.close, -1, axis=0) > bars.close, 0.5, 0.0)

    @strategy(history=2)
    def forgetful(bars: Panel) -> Floats:
        return np.where(bars.close > bars.indicators.sma(3), 0.5, 0.0)

    ahead = certify(tomorrow(), BARS).causality
    remembered = certify(forgetful(), BARS).bounded_memory
    assert ahead is not None
    assert ahead.quantity == "feature 0"
    assert remembered is not None


def test_a_windowed_function_is_called_once_per_window() -> None:
    @strategy(history=3, windowed=True)
    def length(bars: Panel) -> Floats:
        return np.full(bars.close.shape, len(bars) / 10.0)

    weights = scan(length(), bars_of(A=[1, 2, 3, 4, 5])).weights[:, 0]
    assert weights.tolist() == [0.0, 0.0, 0.3, 0.3, 0.3]


def test_a_sweep_of_functions_computes_shared_indicators_once_and_gives_single_runs() -> None:
    models = [above(window=w, part=p) for w in (3, 9) for p in (0.1, 0.5)]
    for model, swept in zip(models, above.scans_of_each(models, BARS), strict=True):
        single = scan(model, BARS)
        assert swept.weights.tobytes() == single.weights.tobytes()
        assert swept.confidence.tobytes() == single.confidence.tobytes()


def test_a_registered_function_is_created_by_its_name_with_checked_types() -> None:
    register(above)
    assert create("above", {"window": 3}, 1) == above(window=3)
    with pytest.raises(BadStrategy, match=r"parameter window of above is 2\.5; it must be"):
        create("above", {"window": 2.5}, 1)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (lambda bars: bars.close > 0, r"bool of shape \(60, 2\)"),
        (lambda bars: np.full(bars.close.shape, 0.1, np.float32), r"float32 of shape \(60, 2\)"),
        (lambda bars: np.zeros(2), r"float64 of shape \(2,\)"),
        (lambda bars: np.zeros((60, 1)), r"float64 of shape \(60, 1\)"),
        (lambda bars: np.zeros((60, 2, 1)), r"float64 of shape \(60, 2, 1\)"),
        (lambda bars: 0.5, "a builtins.float"),
        (lambda bars: None, "a builtins.NoneType"),
    ],
)
def test_weights_of_another_shape_or_type_are_refused_in_one_sentence(
    given: Any, found: str
) -> None:
    rule = r"they must be float64 of shape \(60 closes, 2 symbols\)$"
    with pytest.raises(BadWeights, match=f"^weights of <lambda> are {found}; {rule}"):
        scan(strategy(history=1)(given)(), BARS)


def test_the_bars_that_a_function_sees_cannot_be_written_to() -> None:
    @strategy(history=1)
    def writes(bars: Panel) -> Floats:
        bars.close[0, 0] = 1.0
        return np.zeros(bars.close.shape)

    with pytest.raises(ValueError, match="read-only"):
        scan(writes(), BARS)


def test_an_unknown_indicator_or_column_is_refused_with_the_nearest() -> None:
    panel = Panel(BARS)
    with pytest.raises(AttributeError, match="no indicator 'smaa'; did you mean sma"):
        panel.higher("1W").indicators.smaa(3)
    with pytest.raises(AttributeError, match="coarser bars have no 'clos'; did you mean close"):
        _ = panel.higher("1W").clos


def test_coarser_indicators_are_those_of_the_coarser_bars_at_the_rows_that_see_them() -> None:
    bars = trial_bars(40, 2, gaps=0.2)
    week, seen = Panel(bars).higher("1W"), coarser(bars, "1W")
    average = week.indicators.sma(2)
    expected = seen.aligned(Indicators(seen.bars).sma(2))
    assert np.isfinite(average).any()
    assert average.tobytes() == expected.tobytes()
    assert week.indicators.sma(2) is average


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"window": 0}, "its history is 0 for window=0, part=0.5, but it must be a whole number"),
        ({"part": 1.5}, "its check fails for window=5, part=1.5"),
        ({"window": "5"}, "parameter window of above is '5'; it must be a whole number"),
        ({"part": True}, "parameter part of above is True; it must be a number"),
    ],
)
def test_parameters_that_break_a_rule_are_refused_when_they_are_given(
    parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadStrategy) as refused:
        above(**parameters)
    assert sentence in str(refused.value)


def test_a_check_may_say_its_own_sentence() -> None:
    def check(short: int, long: int) -> None:
        if short >= long:
            raise ValueError(f"short {short} must be below long {long}")

    @strategy(history="long", check=check)
    def cross(bars: Panel, short: int = 2, long: int = 4) -> Floats:
        return np.zeros(bars.close.shape)

    with pytest.raises(
        ImpossibleParameter, match=r"^model cross is impossible: short 4 must be below long 4$"
    ):
        cross(short=4)


def _no_default(bars: Panel, window: int) -> Floats:
    return np.zeros(bars.close.shape)


def _spread(bars: Panel, *windows: int) -> Floats:
    return np.zeros(bars.close.shape)


def _hides(bars: Panel, features: int = 1) -> Floats:
    return np.zeros(bars.close.shape)


def _hides_the_check(bars: Panel, check: int = 1) -> Floats:
    return np.zeros(bars.close.shape)


def _fine(bars: Panel, window: int = 1) -> Floats:
    return np.zeros(bars.close.shape)


def _list(bars: Panel, windows: Any = [1]) -> Floats:  # noqa: B006 -- what is refused
    return np.zeros(bars.close.shape)


@pytest.mark.parametrize(
    ("function", "history", "sentence"),
    [
        (_no_default, 1, "_no_default is no strategy yet: parameter window has no default"),
        (_spread, 1, "parameter *windows: int has no name of its own"),
        (_hides, 1, "'features' is a part of every strategy"),
        (_hides_the_check, 1, "'check' is a part of every strategy"),
        (_list, 1, "mutable default"),
        (lambda: None, 1, "its first parameter must be the bars"),
        (_fine, None, "its history is None, but it must be a number of closes"),
        (_fine, True, "its history is True, but it must be a number of closes"),
        (_fine, "windw", "its history names 'windw', which is no parameter; did you mean window?"),
        (_fine, lambda span: span, "its history names 'span', which is no parameter"),
    ],
)
def test_what_declares_no_strategy_is_refused_in_one_sentence(
    function: Any, history: Any, sentence: str
) -> None:
    with pytest.raises(BadDeclaration) as refused:
        strategy(history=history)(function)
    assert sentence in str(refused.value)


def test_the_decorator_without_a_history_says_how_it_is_written() -> None:
    with pytest.raises(BadDeclaration, match=r"_fine is no strategy yet: write @strategy\(history"):
        strategy(_fine)
