"""The index mean reversion model on bars made by hand."""

import numpy as np
import pytest

from stratvector.strategies import IndexMeanReversionModel
from stratvector.strategies.bad_strategy import ImpossibleParameter
from stratvector.strategies.trial_bars import bars_of
from stratvector.trading.strategy import scan

CALM = [100.0, 101.0] * 12
FALL = [*CALM, 99.0, 95.0, 88.0]


def test_the_defaults_are_the_documented_ones() -> None:
    model = IndexMeanReversionModel()
    assert model.name == "IndexMeanReversionModel_v1"
    assert model.version == "1.0.0"
    assert model.parameters().tolist() == [2, 10, 90, 20]
    assert model.history == 21


def test_a_fall_below_the_lower_band_with_a_low_index_is_bought() -> None:
    bars = bars_of(A=FALL)
    close, rsi, lower, _ = IndexMeanReversionModel().features(bars)[-1, 0]
    assert rsi < 10
    assert close < lower
    assert scan(IndexMeanReversionModel(), bars).weights[-1, 0] == 1.0


def test_a_low_index_inside_the_bands_is_not_bought() -> None:
    bars = bars_of(A=[100.0, 110.0] * 12 + [108.0, 106.0, 104.0, 102.0, 100.0, 98.0])
    close, rsi, lower, _ = IndexMeanReversionModel().features(bars)[-1, 0]
    assert rsi < 10
    assert close > lower
    assert scan(IndexMeanReversionModel(), bars).weights[-1, 0] == 0.0


def test_a_position_is_kept_until_the_close_is_above_the_middle_band() -> None:
    recovery = [89.0, 90.0, 89.5, 101.0]
    bars = bars_of(A=[*FALL, *recovery])
    model = IndexMeanReversionModel(rsi_overbought=100)
    assert scan(model, bars).weights[-5:, 0].tolist() == [1, 1, 1, 1, 0]
    assert model.features(bars)[-1, 0, 3] < 101.0


def test_a_position_ends_when_the_index_is_overbought_below_the_middle_band() -> None:
    bars = bars_of(A=[*FALL, 89.0, 91.0, 93.0, 95.0, 97.0])
    close, rsi, _, middle = IndexMeanReversionModel().features(bars)[-1, 0]
    assert rsi > 90
    assert close < middle
    assert scan(IndexMeanReversionModel(), bars).weights[-2:, 0].tolist() == [1.0, 0.0]


def test_each_of_two_symbols_has_half_of_the_budget() -> None:
    bars = bars_of(A=FALL, B=[*CALM, 100.0, 101.0, 100.0])
    assert scan(IndexMeanReversionModel(), bars).weights[-1].tolist() == [0.5, 0.0]


def test_a_missing_bar_gives_a_nan_weight_and_keeps_the_position() -> None:
    result = scan(IndexMeanReversionModel(), bars_of(A=[*FALL, None, 88.0]))
    assert np.isnan(result.weights[-2, 0])
    assert result.states[-3:, 0].tolist() == [1, 1, 1]
    assert result.weights[-1, 0] == 1.0


def test_confidence_falls_as_the_index_turns_against_the_position() -> None:
    model = IndexMeanReversionModel(rsi_overbought=100)
    result = scan(model, bars_of(A=[*FALL, 89.0, 90.0]))
    assert result.weights[-3:, 0].tolist() == [1, 1, 1]
    assert result.confidence[-3, 0] > result.confidence[-2, 0] > result.confidence[-1, 0] > 0


@pytest.mark.parametrize(
    ("oversold", "overbought"), [(90, 90), (-1, 90), (10, 101), (float("nan"), 90)]
)
def test_thresholds_out_of_order_are_refused(oversold: float, overbought: float) -> None:
    with pytest.raises(ImpossibleParameter, match=r"0 <= rsi_oversold .* must hold"):
        IndexMeanReversionModel(rsi_oversold=oversold, rsi_overbought=overbought)
