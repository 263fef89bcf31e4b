"""What every registered indicator must do: whoever adds one is held to it without a new test."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import (
    INDICATORS,
    BadColumn,
    BadIndicator,
    BadParameter,
    Indicators,
    UnknownColumn,
)
from stratvector.strategies.indicators.registry import Between, Choice, Whole
from stratvector.strategies.trial_bars import scrambled_after, trial_bars

NAMES = sorted(INDICATORS)
SMALL = {
    Whole(1): st.integers(1, 5),
    Whole(2): st.integers(2, 5),
    Choice(("log", "simple")): st.sampled_from(["log", "simple"]),
    Between(0.0, 1.0): st.just(0.05),
}
OTHERS = {"against": st.sampled_from(["TRIAL1", "volume"])}


@st.composite
def parameters_of(draw: Any, name: str) -> dict[str, Any]:
    """Small ones, so that windows fit into short bars."""
    row = INDICATORS[name]
    given = {n: draw(SMALL.get(rule, st.sampled_from([0.5, 2.0]))) for n, rule in row.rules.items()}
    given |= {n: draw(OTHERS[n]) for n in row.signature.parameters if n in OTHERS}
    if name == "macd":
        given["slow"] = given["fast"] + 2
    return given


def arrays_of(indicators: Indicators, name: str, parameters: dict[str, Any]) -> tuple[Floats, ...]:
    result = getattr(indicators, name)(**parameters)
    return result if isinstance(result, tuple) else (result,)


def digest_of_every_indicator() -> str:
    """A hash of every bit that all indicators compute over some bars, with gaps and without."""
    digest = hashlib.sha256()
    sizes = {Whole(1): 3, Whole(2): 4, Between(0.0, 1.0): 0.01, Choice(("log", "simple")): "log"}
    for gaps in (0.0, 0.2):
        indicators = Indicators(trial_bars(90, 2, seed=5, gaps=gaps))
        for name in NAMES:
            row = INDICATORS[name]
            given: dict[str, Any] = {n: sizes.get(rule, 2.0) for n, rule in row.rules.items()}
            given |= {n: "TRIAL1" for n in row.signature.parameters if n == "against"}
            given |= {"slow": 5} if name == "macd" else {}
            for array in arrays_of(indicators, name, given):
                digest.update(array.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.1, 0.4]))
def test_the_closes_that_it_says_to_read_alone_give_the_bits_of_the_full_history(
    name: str, data: st.DataObject, seed: int, gaps: float
) -> None:
    parameters = data.draw(parameters_of(name))
    reads = INDICATORS[name].closes_read(**parameters)
    bars = trial_bars(reads + 20, seed=seed, gaps=gaps)
    whole = arrays_of(Indicators(bars), name, parameters)
    for t in range(reads - 1, len(bars), 3):
        window = bars.window(t - reads + 1, t + 1)
        alone = arrays_of(Indicators(window), name, parameters)
        for full, part in zip(whole, alone, strict=True):
            assert part[-1].tobytes() == full[t].tobytes()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_nothing_up_to_a_close_depends_on_what_comes_after_it(
    name: str, data: st.DataObject, seed: int
) -> None:
    parameters = data.draw(parameters_of(name))
    bars = trial_bars(70, seed=seed, gaps=0.2)
    actual = arrays_of(Indicators(bars), name, parameters)
    for t in (30, 45, 68):
        other = arrays_of(Indicators(scrambled_after(bars, t, seed)), name, parameters)
        for array, scrambled in zip(actual, other, strict=True):
            assert array[: t + 1].tobytes() == scrambled[: t + 1].tobytes()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(data=st.data())
def test_it_has_a_value_once_its_window_is_full_and_only_where_the_close_is_present(
    name: str, data: st.DataObject
) -> None:
    parameters = data.draw(parameters_of(name))
    reads = INDICATORS[name].closes_read(**parameters)
    whole = trial_bars(reads + 10, 2, seed=3, gaps=0.0)
    last = arrays_of(Indicators(whole), name, parameters)
    fullest = max(range(len(last)), key=lambda i: int(np.isnan(last[i]).sum()))
    assert np.isnan(last[fullest][: reads - 1]).all()
    assert not np.isnan(last[fullest][-1]).any()
    bars = trial_bars(reads + 30, seed=4, gaps=0.3)
    missing = np.isnan(bars.close)
    for array in arrays_of(Indicators(bars), name, parameters):
        assert np.isnan(array[missing]).all()
        assert array.dtype == np.float64
        assert array.shape == bars.close.shape


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3)
@given(data=st.data())
def test_it_is_computed_once_and_cannot_be_changed(name: str, data: st.DataObject) -> None:
    parameters = data.draw(parameters_of(name))
    indicators = Indicators(trial_bars(40))
    first = arrays_of(indicators, name, parameters)
    computed = len(indicators._results)
    for array, again in zip(first, arrays_of(indicators, name, parameters), strict=True):
        assert again is array
        assert not array.flags.writeable
    assert len(indicators._results) == computed


@pytest.mark.parametrize("name", NAMES)
def test_each_of_its_parameters_is_checked(name: str) -> None:
    row, indicators = INDICATORS[name], Indicators(trial_bars(10))
    fine: dict[str, Any] = {n: 2 for n, rule in row.rules.items() if n != "returns"}
    fine |= {"tolerance": 0.1} if "tolerance" in fine else {}
    fine |= {"fast": 1} if name == "macd" else {}
    fine |= {n: "close" for n in row.signature.parameters if n == "against"}
    for parameter, rule in row.rules.items():
        for value in (0, -1, True, "20", float("nan"), None):
            with pytest.raises(BadParameter) as caught:
                getattr(indicators, name)(**(fine | {parameter: value}))
            assert str(caught.value) == f"{name}: {parameter} {value!r}: it must be {rule}"
    for parameter in row.signature.parameters:
        if parameter in ("of", "against"):
            with pytest.raises(UnknownColumn, match="no column 'clsoe': did you mean 'close'"):
                getattr(indicators, name)(**(fine | {parameter: "clsoe"}))


def test_a_window_of_0_says_the_rule() -> None:
    with pytest.raises(BadIndicator) as caught:
        Indicators(trial_bars(10)).sma(0)
    rule = "sma: window 0: it must be a whole number of closes, at least 1"
    assert str(caught.value) == rule


def test_a_fast_average_that_is_not_faster_is_refused() -> None:
    with pytest.raises(BadParameter, match="macd: fast 26: it must be below slow 26"):
        Indicators(trial_bars(10)).macd(26, 26)


@pytest.mark.parametrize("array", [np.zeros((3, 3)), np.zeros((10, 3), np.int64), [1.0]])
def test_an_array_that_does_not_fit_the_bars_is_refused(array: Any) -> None:
    with pytest.raises(BadColumn, match=r"it must be float64 \(10, 3\), closes x symbols"):
        Indicators(trial_bars(10)).sma(2, of=array)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_an_indicator_of_an_indicator_reads_both_windows(inner: int, outer: int, seed: int) -> None:
    bars = trial_bars(60, seed=seed, gaps=0.2)

    def nested(of: Any) -> Floats:
        indicators = Indicators(of)
        return indicators.sma(outer, of=indicators.rsi(inner, tolerance=0.1))

    whole = nested(bars)
    reads = INDICATORS["rsi"].closes_read(period=inner, tolerance=0.1) + outer - 1
    assert np.isnan(whole[: reads - 1]).all()
    for t in range(reads - 1, 60, 4):
        alone = nested(bars.window(t - reads + 1, t + 1))
        assert alone[-1].tobytes() == whole[t].tobytes()


def test_compiled_and_interpreted_indicators_give_the_same_bits() -> None:
    script = f"import runpy; print(runpy.run_path({__file__!r})['digest_of_every_indicator']())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NUMBA_BOUNDSCHECK": "0"}
    interpreted = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert interpreted.stdout.strip() == digest_of_every_indicator()
