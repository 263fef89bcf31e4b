"""Strategies that cheat, each in its own way, and what the certificates say of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from stratvector.strategies import (
    Certificate,
    Indicators,
    IndicatorStrategy,
    certify,
    check_bounded_memory,
    check_causality,
)
from stratvector.strategies.bad_strategy import BadFeatures
from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide, Strategy, scan

BARS = trial_bars(40, symbols=2, seed=5)
WHOLE = trial_bars(40, symbols=2, seed=5, gaps=0.0)


@dataclass(frozen=True)
class Honest(Strategy):
    """The change of the close, from which each cheater differs in one line."""

    name: ClassVar[str] = "Honest"

    @property
    def history(self) -> int:
        return 2

    def change(self, values: Floats) -> Floats:
        change = np.full(values.shape, np.nan)
        change[1:] = np.sign(values[1:] - values[:-1])
        return change

    def features(self, bars: Bars) -> Floats:
        return self.change(bars.close)[:, :, np.newaxis]


@dataclass(frozen=True)
class TomorrowsClose(Honest):
    def features(self, bars: Bars) -> Floats:
        rows = self.change(bars.close)
        rows[1:-1] = rows[2:]
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class TomorrowsVolume(Honest):
    def features(self, bars: Bars) -> Floats:
        rows = self.change(bars.close)
        rows[1:-1] *= np.where(bars.volume[2:] > bars.volume[1:-1], 1.0, 0.5)
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class TomorrowsGap(Honest):
    def features(self, bars: Bars) -> Floats:
        rows = self.change(bars.close)
        rows[1:-1] *= np.where(np.isnan(bars.close[2:]), 0.0, 1.0)
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class WholeSampleScore(Honest):
    def features(self, bars: Bars) -> Floats:
        centre, spread = np.nanmean(bars.close, axis=0), np.nanstd(bars.close, axis=0)
        rows: Floats = (bars.close - centre) / np.where(spread > 0.0, spread, 1.0)
        rows[:1] = np.nan
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class LengthOfTheData(Honest):
    def features(self, bars: Bars) -> Floats:
        return self.change(bars.close)[:, :, np.newaxis] / len(bars)


@dataclass(frozen=True)
class RunningSum(Honest):
    """A moving average the fast way: its last bits remember every close there was."""

    def features(self, bars: Bars) -> Floats:
        sums = np.cumsum(bars.close, axis=0)
        rows = np.full(bars.close.shape, np.nan)
        rows[2:] = (sums[2:] - sums[:-2]) / 2.0
        rows[1] = sums[1] / 2.0
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class LongerHistory(Honest):
    def features(self, bars: Bars) -> Floats:
        rows = self.change(bars.close)
        rows[2:] += rows[1:-1]
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class EarlyRows(Honest):
    def features(self, bars: Bars) -> Floats:
        rows = self.change(bars.close)
        rows[0] = 0.0
        return rows[:, :, np.newaxis]


@decide_jit
def _remember_outside_the_state(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    parameters[0] += 1.0
    for s in range(row.shape[0]):
        weights[s] = row[s, 0] / parameters[0]
        confidence[s] = 1.0


@dataclass(frozen=True)
class HiddenMemory(Honest):
    decide: ClassVar[Decide] = staticmethod(_remember_outside_the_state)

    counter: float = 0.0


def test_an_honest_strategy_passes() -> None:
    assert certify(Honest(), BARS).holds


@pytest.mark.parametrize("bars", [BARS, WHOLE], ids=["gaps", "whole"])
@pytest.mark.parametrize("cheater", [TomorrowsClose, TomorrowsVolume, TomorrowsGap])
def test_a_strategy_that_looks_one_close_ahead_is_caught_at_that_close(
    cheater: type[Strategy], bars: Bars
) -> None:
    violation = check_causality(cheater(), bars)
    assert violation is not None
    assert violation.quantity == "feature 0"
    assert f"when the bars after close {violation.close} are others" in str(violation)


@pytest.mark.parametrize("close", [2, 17, 38])
def test_a_look_ahead_at_a_single_close_is_caught(close: int) -> None:
    @dataclass(frozen=True)
    class Once(Honest):
        def features(self, bars: Bars) -> Floats:
            rows = super().features(bars)
            rows[close : close + 1] = bars.close[close + 1 : close + 2, :, np.newaxis]
            return rows

    violation = check_causality(Once(), WHOLE)
    assert violation is not None
    assert violation.close == close


def test_which_nan_it_is_does_not_matter() -> None:
    @dataclass(frozen=True)
    class NegativeNan(Honest):
        def features(self, bars: Bars) -> Floats:
            rows = super().features(bars)
            sign = -1.0 if bars.close[-1, 0] > bars.close[0, 0] else 1.0
            return np.where(np.isnan(rows), np.copysign(np.nan, sign), rows)

    assert certify(NegativeNan(), BARS).holds


def test_a_whole_sample_score_is_caught_by_both() -> None:
    certificate = certify(WholeSampleScore(), BARS)
    assert certificate.causality is not None
    assert certificate.bounded_memory is not None
    assert str(certificate).startswith("Honest looks ahead: feature 0 of TRIAL")


def test_a_running_sum_over_the_full_history_is_causal_but_caught_by_its_last_bits() -> None:
    certificate = certify(RunningSum(), WHOLE)
    assert certificate.causality is None
    violation = certificate.bounded_memory
    assert violation is not None
    assert violation.expected == pytest.approx(violation.found, rel=1e-12)
    assert "over its last 2 closes alone" in str(violation)


def test_a_history_that_is_longer_than_declared_is_caught() -> None:
    violation = check_bounded_memory(LongerHistory(), WHOLE)
    assert violation is not None
    assert violation.close >= 2


def test_a_use_of_the_datas_length_is_caught() -> None:
    violation = check_bounded_memory(LengthOfTheData(), WHOLE)
    assert violation is not None
    assert violation.expected == violation.found / 20


def test_a_row_before_the_history_suffices_is_caught() -> None:
    violation = check_bounded_memory(EarlyRows(), WHOLE)
    assert violation is not None
    assert str(violation) == (
        "feature 0 of TRIAL0 at close 0 (1970-01-02T00:00:00Z) is nan, but 0.0 "
        "though the strategy says that it needs 2 closes"
    )


def test_a_memory_outside_the_state_is_caught_in_the_weights() -> None:
    violation = check_bounded_memory(HiddenMemory(), WHOLE)
    assert violation is not None
    assert violation.quantity == "weight"
    assert violation.close == 2


def test_a_violation_in_a_state_has_no_symbol() -> None:
    @decide_jit
    def count_rows(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
        state[0] += parameters[0]
        parameters[0] += 1.0

    @dataclass(frozen=True)
    class Counting(HiddenMemory):
        decide: ClassVar[Decide] = staticmethod(count_rows)

        def initial_state(self, symbols: int) -> Floats:
            return np.zeros(1)

    violation = check_bounded_memory(Counting(), WHOLE)
    assert violation is not None
    assert (violation.quantity, violation.symbol) == ("state 0", None)


def test_a_windowed_strategy_is_called_per_window_and_so_passes() -> None:
    @dataclass(frozen=True)
    class PerWindow(LengthOfTheData):
        windowed: ClassVar[bool] = True

    certificate: Certificate = certify(PerWindow(), trial_bars(12, gaps=0.0))
    assert certificate.holds, str(certificate)


def test_features_of_another_shape_or_type_are_refused() -> None:
    @dataclass(frozen=True)
    class Flat(Honest):
        def features(self, bars: Bars) -> Floats:
            return self.change(bars.close)

    @dataclass(frozen=True)
    class Single(Honest):
        def features(self, bars: Bars) -> Floats:
            return super().features(bars).astype(np.float32)

    for broken, found in [(Flat(), r"float64 of shape \(40, 2\)"), (Single(), "float32 of shape")]:
        with pytest.raises(BadFeatures, match=found):
            certify(broken, BARS)


@dataclass(frozen=True)
class Rows(IndicatorStrategy):
    """An indicator strategy whose rows are given."""

    give: ClassVar[Callable[[Floats], Any]]

    name = "Rows"

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def rows(self, indicators: Indicators) -> Any:
        """As given."""
        return type(self).give(indicators.bars.close)


@pytest.mark.parametrize(
    ("give", "found"),
    [
        (lambda close: (np.diff(close, axis=0),), r"float64 of shape \(39, 2\) in feature 0"),
        (lambda close: (close, close[:1]), r"float64 of shape \(1, 2\) in feature 1"),
        (lambda close: (close, np.ones((40, 2), np.int64)), r"int64 .* in feature 1"),
        (lambda close: (), "no feature at all"),
        (lambda close: close, "one ndarray"),
        (lambda close: (close, None), r"a builtins\.NoneType in feature 1"),
    ],
)
def test_indicator_rows_are_checked_before_they_are_put_beside_each_other(
    give: Callable[[Floats], Any], found: str
) -> None:
    class Broken(Rows):
        pass

    Broken.give = staticmethod(give)
    for run in (scan, certify, lambda s, bars: list(Broken.features_of_each([s], bars))):
        with pytest.raises(BadFeatures, match=f"^features of Rows are {found}; .*40 closes, 2"):
            run(Broken(), BARS)
