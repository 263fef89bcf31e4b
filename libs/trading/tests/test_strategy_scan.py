"""Weights over time: the fold of a strategy's decide over its features."""

import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide, Strategy, feature_rows, fold, scan

Floats = NDArray[np.float64]


@decide_jit
def _count(state: Floats, row: Floats, parameters: Floats, weights: Floats, c: Floats) -> None:
    state[0] += 1.0
    for s in range(row.shape[0]):
        weights[s] = state[0] * parameters[0] / 3.0
        c[s] = 1.0


@dataclass(frozen=True)
class Change(Strategy):
    name: ClassVar[str] = "Change"

    scale: float = 1.0

    @property
    def history(self) -> int:
        return 2

    def features(self, bars: Bars) -> Floats:
        rows = np.full((*bars.close.shape, 1), np.nan)
        rows[1:, :, 0] = self.scale * (bars.close[1:] - bars.close[:-1])
        return rows


@dataclass(frozen=True)
class Counting(Change):
    decide: ClassVar[Decide] = staticmethod(_count)

    def initial_state(self, symbols: int) -> Floats:
        return np.zeros(1)


def panel(*closes: float) -> Bars:
    close = np.array(closes, dtype=np.float64).reshape(-1, 1)
    times = np.arange(1, len(close) + 1, dtype=np.int64)
    return Bars(("A",), times, close, close, close, close, close)


def test_without_a_decide_of_its_own_the_first_feature_is_the_weight() -> None:
    result = scan(Change(), panel(1, 1.5, np.nan, 4, 1.5))
    np.testing.assert_array_equal(result.weights[:, 0], [0, 0.5, np.nan, np.nan, -2.5])
    assert result.confidence[:, 0].tolist() == [0, 0.5, 0, 0, 1]
    assert result.states.shape == (5, 0)


def test_while_the_history_is_too_short_the_weight_is_0_and_the_memory_untouched() -> None:
    result = scan(Counting(), panel(1, 2, 3))
    assert result.states[:, 0].tolist() == [0, 1, 2]
    assert result.weights[0, 0] == 0.0


def test_weights_are_rounded_to_a_billionth() -> None:
    assert scan(Counting(), panel(1, 2, 3)).weights[1:, 0].tolist() == [0.333333333, 0.666666667]


def test_a_scan_continues_from_a_state_and_leaves_it_as_it_was() -> None:
    state = np.array([5.0])
    assert scan(Counting(), panel(1, 2), state).states[-1].tolist() == [6]
    assert state.tolist() == [5.0]


def test_the_fold_of_the_last_row_alone_gives_what_the_whole_gives() -> None:
    for strategy in (Change(), Counting()):
        bars = panel(1, 2, 4, 3)
        whole, rows = scan(strategy, bars), feature_rows(strategy, bars)
        state = whole.states[2].copy()
        last = fold(strategy, rows[-1:], bars.window(2, 4), state, 0)
        for values, expected in zip(last, whole, strict=True):
            assert values.tobytes() == expected[-1:].tobytes()
        assert state.tobytes() == whole.states[3].tobytes()


def test_many_parameter_sets_have_the_scan_of_each() -> None:
    strategies = [Counting(1.0), Counting(2.0)]
    for strategy, swept in zip(
        strategies, Counting.scans_of_each(strategies, panel(1, 2, 4)), strict=True
    ):
        single = scan(strategy, panel(1, 2, 4))
        assert [values.tobytes() for values in swept] == [values.tobytes() for values in single]


def test_a_state_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Change has 2 numbers; over 1 symbols it must have 1"):
        scan(Counting(), panel(1, 2), np.zeros(2))


def test_parameters_come_in_field_order_without_the_bars_of_a_day() -> None:
    assert Change(3.0, bars_per_day=6).parameters().tolist() == [3.0]


def test_many_parameter_sets_have_the_rows_of_each() -> None:
    bars = panel(1, 2, 4)
    each = Change.features_of_each([Change(1.0), Change(2.0)], bars)
    for strategy, rows in zip((Change(1.0), Change(2.0)), each, strict=True):
        np.testing.assert_array_equal(rows, feature_rows(strategy, bars))


def test_a_windowed_strategy_sees_one_window_at_a_time() -> None:
    @dataclass(frozen=True)
    class Length(Change):
        windowed: ClassVar[bool] = True

        def features(self, bars: Bars) -> Floats:
            return np.full((len(bars), 1, 1), float(len(bars)))

    rows = feature_rows(Length(), panel(1, 2, 3, 4))
    np.testing.assert_array_equal(rows[:, 0, 0], [np.nan, 2, 2, 2])


def test_a_decide_typed_at_a_prompt_compiles_without_a_file_to_cache_it_by() -> None:
    typed = (
        "from stratvector.trading.engine.scan import decide_jit\n"
        "@decide_jit\n"
        "def d(state, row, parameters, weights, confidence):\n"
        "    weights[0] = row[0, 0]\n"
        "print(d.__name__)\n"
    )
    told = subprocess.run(
        [sys.executable, "-"], input=typed, capture_output=True, text=True, check=True
    )
    assert told.stdout == "d\n"
