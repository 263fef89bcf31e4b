"""The crypto momentum model on bars made by hand: lookbacks of 2 and 4 days, decisions every 3."""

import numpy as np
import pytest

from stratvector.strategies import CryptoMomentumModel
from stratvector.strategies.bad_strategy import ImpossibleParameter
from stratvector.strategies.trial_bars import bars_of
from stratvector.trading.strategy import scan

SMALL = CryptoMomentumModel(2, 4, 3)
UP = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
FLAT = [10] * 10


def test_the_defaults_are_the_documented_ones_in_days() -> None:
    model = CryptoMomentumModel()
    assert model.name == "CryptoMomentumModel_v1"
    assert model.version == "1.0.0"
    assert (model.short_lookback, model.long_lookback, model.rebalance_days) == (30, 60, 7)
    assert model.history == 61


def test_on_4_hour_bars_lookbacks_and_interval_are_six_closes_a_day() -> None:
    model = CryptoMomentumModel(bars_per_day=6)
    assert model.history == 361
    assert model.parameters().tolist() == [180, 360, 42]


def test_rising_symbols_share_the_budget_equally() -> None:
    weights = scan(SMALL, bars_of(A=UP, B=UP, C=FLAT)).weights
    assert weights[3].tolist() == [0, 0, 0]
    assert weights[4].tolist() == [0.5, 0.5, 0]


def test_a_rise_over_one_lookback_only_is_not_held() -> None:
    short_only, long_only = [20, 10, 10, 10, 11], [10, 11, 20, 20, 19]
    assert scan(SMALL, bars_of(A=short_only, B=long_only)).weights[4].tolist() == [0, 0]


def test_daily_weights_change_every_third_close_only() -> None:
    falling_at_once = [10, 11, 12, 13, 14, 5, 4, 3, 2, 1]
    weights = scan(SMALL, bars_of(A=falling_at_once)).weights[:, 0]
    assert weights.tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_4_hour_weights_change_every_eighteenth_close_only() -> None:
    model = CryptoMomentumModel(2, 4, 3, bars_per_day=6)
    closes = [*range(10, 35), *[1.0] * 40]
    weights = scan(model, bars_of(A=closes)).weights[:, 0]
    assert model.history == 25
    assert weights[24:42].tolist() == [1.0] * 18
    assert weights[42:].tolist() == [0.0] * 23


def test_the_memory_counts_closes_since_the_last_rebalance() -> None:
    states = scan(SMALL, bars_of(A=UP)).states
    assert states[:, 0].tolist() == [-1, -1, -1, -1, 0, 1, 2, 0, 1, 2]


def test_a_symbol_missing_at_a_rebalance_keeps_its_share_and_the_others_split_the_rest() -> None:
    gap = [*UP[:7], None, *UP[8:]]
    fallen = [*UP[:5], 5, 4, 3, 2, 1]
    result = scan(SMALL, bars_of(A=gap, B=fallen, C=UP))
    third = pytest.approx(1 / 3, abs=2e-9)
    assert result.weights[6].tolist() == [third, third, third]
    assert np.isnan(result.weights[7, 0])
    assert result.weights[7, 1:].tolist() == [0.0, pytest.approx(2 / 3, abs=2e-9)]
    assert result.weights[8, 0] == third


def test_a_rebalance_is_postponed_while_every_bar_is_missing() -> None:
    closes = [*UP[:5], 5, 4, None, 2, 1]
    result = scan(SMALL, bars_of(A=closes))
    assert np.isnan(result.weights[7, 0])
    assert result.weights[8, 0] == 0.0
    assert result.states[:, 0].tolist() == [-1, -1, -1, -1, 0, 1, 2, 3, 0, 1]


def test_confidence_is_the_part_of_both_momenta_that_agrees() -> None:
    falling_at_once = [10, 11, 12, 13, 14, 5, 4, 3, 2, 1]
    confidence = scan(SMALL, bars_of(A=falling_at_once)).confidence[:, 0]
    assert confidence.tolist() == [0, 0, 0, 0, 1, 0, 0, 1, 1, 1]


def test_lookbacks_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ImpossibleParameter, match="short_lookback 60 must be below long_lookback"):
        CryptoMomentumModel(short_lookback=60)
