"""The equity trend model on bars made by hand: slow average 6, momentum over 3, exit average 3."""

import numpy as np
import pytest

from stratvector.strategies import EquityTrendModel, create
from stratvector.strategies.bad_strategy import ImpossibleParameter
from stratvector.strategies.trial_bars import bars_of
from stratvector.trading.strategy import scan

SMALL = EquityTrendModel(6, 3, 3, max_positions=2)
RISE = [10, 11, 12, 13, 14, 15, 16, 17]


def test_the_defaults_are_the_documented_ones() -> None:
    model = EquityTrendModel()
    assert model.name == "EquityTrendModel_v1"
    assert model.version == "1.0.0"
    assert model.parameters().tolist() == [200, 60, 50, 1, 2]
    assert model.history == 200


def test_a_rising_symbol_is_entered_as_soon_as_the_history_suffices() -> None:
    weights = scan(SMALL, bars_of(A=RISE)).weights[:, 0]
    assert weights.tolist() == [0, 0, 0, 0, 0, 0.5, 0.5, 0.5]


def test_a_close_below_the_exit_average_ends_the_position_and_no_close_above_it_does() -> None:
    closes = [*RISE, 17.5, 16.9, 18, 19, 20]
    weights = scan(SMALL, bars_of(A=closes)).weights[:, 0]
    assert weights[8:].tolist() == [0.5, 0, 0.5, 0.5, 0.5]


def test_a_close_at_the_exit_average_ends_nothing() -> None:
    weights = scan(SMALL, bars_of(A=[*RISE, 17, 17, 17])).weights[:, 0]
    assert weights[-3:].tolist() == [0.5, 0.5, 0.5]


def test_a_symbol_in_a_long_rise_is_not_entered_while_it_is_below_its_exit_average() -> None:
    closes = [1, 1, 10, 15, 13, 12, 12]
    assert scan(SMALL, bars_of(A=closes)).weights[5, 0] == 0.0


def test_a_symbol_without_momentum_is_not_entered() -> None:
    closes = [1, 1, 12, 11, 10, 12]
    bars = bars_of(A=closes)
    row = SMALL.features(bars)[5, 0]
    assert row[0] > row[1]
    assert row[0] > row[2]
    assert row[3] == 0.0
    assert scan(SMALL, bars).weights[5, 0] == 0.0


def test_of_three_rising_symbols_the_two_strongest_are_held() -> None:
    steps = np.arange(8.0)
    bars = bars_of(WEAK=100 + steps, STRONG=100 + 3 * steps, MIDDLE=100 + 2 * steps)
    assert scan(SMALL, bars).weights[-1].tolist() == [0.0, 0.5, 0.5]


def test_a_held_symbol_is_not_replaced_by_a_stronger_one() -> None:
    one = EquityTrendModel(6, 3, 3, max_positions=1)
    late = [50, 50, 50, 50, 50, 50, 60, 80]
    weights = scan(one, bars_of(FIRST=RISE, LATE=late)).weights
    assert weights[5:].tolist() == [[1, 0], [1, 0], [1, 0]]


def test_a_freed_slot_goes_to_the_next_symbol_at_the_same_close() -> None:
    one = EquityTrendModel(6, 3, 3, max_positions=1)
    falling = [*RISE[:7], 10]
    late = [50, 50, 50, 50, 50, 50, 60, 80]
    weights = scan(one, bars_of(FIRST=falling, LATE=late)).weights
    assert weights[5:].tolist() == [[1, 0], [1, 0], [0, 1]]


def test_of_equally_strong_symbols_the_first_is_entered() -> None:
    one = EquityTrendModel(6, 3, 3, max_positions=1)
    assert scan(one, bars_of(A=RISE, B=RISE)).weights[-1].tolist() == [1.0, 0.0]


def test_a_missing_bar_gives_a_nan_weight_and_keeps_the_memory_and_the_slot() -> None:
    one = EquityTrendModel(6, 3, 3, max_positions=1)
    bars = bars_of(A=[*RISE[:6], None, 17], B=[1, 2, 1, 2, 1, 1.1, 5, 9])
    result = scan(one, bars)
    assert np.isnan(result.weights[6, 0])
    assert result.confidence[6, 0] == 0.0
    assert result.weights[6, 1] == 0.0
    assert result.states[6].tolist() == result.states[5].tolist()
    assert result.weights[7].tolist() == [1.0, 0.0]


def test_unequal_weights_share_the_filled_slots_by_momentum() -> None:
    model = EquityTrendModel(6, 3, 3, equal_weight=False, max_positions=4)
    bars = bars_of(A=[10, 10, 10, 10, 10, 12], B=[10, 10, 10, 10, 10, 11])
    weights = scan(model, bars).weights[-1]
    assert weights == pytest.approx([2 / 6, 1 / 6], abs=2e-9)


def test_unequal_weights_never_exceed_the_budget_when_a_held_symbol_is_missing() -> None:
    model = EquityTrendModel(6, 3, 3, equal_weight=False, max_positions=2)
    bars = bars_of(A=[*[10] * 5, 12, None], B=[*[10] * 5, 9, 20])
    result = scan(model, bars)
    assert result.weights[5].tolist() == [0.5, 0.0]
    assert np.isnan(result.weights[6, 0])
    assert result.weights[6, 1] == 0.5


def test_the_lookback_means_days_on_any_timeframe() -> None:
    assert EquityTrendModel(bars_per_day=6).history == 361


def test_confidence_is_the_part_of_the_three_signs_that_agrees() -> None:
    bars = bars_of(UP=RISE, DOWN=RISE[::-1])
    assert scan(SMALL, bars).confidence[-1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "name", ["slow_ma_period", "momentum_lookback_days", "exit_ma_period", "max_positions"]
)
def test_a_period_below_1_is_refused(name: str) -> None:
    with pytest.raises(ImpossibleParameter, match=f"{name} is 0, but it must be at least 1"):
        create("EquityTrendModel_v1", {name: 0}, 1)
