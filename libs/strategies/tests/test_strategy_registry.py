"""What users name models by, and the one sentence that they get for each mistake."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import stratvector.strategies
from stratvector.strategies import MODELS, EquityTrendModel, create, register
from stratvector.strategies.bad_strategy import (
    BadStrategy,
    ImpossibleParameter,
    NotRegistrable,
    UnknownModel,
    UnknownParameter,
    WrongParameterType,
)
from stratvector.strategies.floats import Floats
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy


@dataclass(frozen=True)
class LastClose(Strategy):
    """A user's strategy on the bare interface."""

    name: ClassVar[str] = "LastClose"

    scale: float = 1.0

    @property
    def history(self) -> int:
        return 1

    def features(self, bars: Bars) -> Floats:
        return bars.close[:, :, np.newaxis] * self.scale


def test_the_house_registers_its_models_under_the_known_ids() -> None:
    house = {model_id for model_id, m in MODELS.items() if m.__module__.startswith("stratvector.")}
    assert house == {
        "EquityTrendModel_v1",
        "IndexMeanReversionModel_v1",
        "CryptoMomentumModel_v1",
        "MomentumStrategy",
        "MeanReversionStrategy",
    }
    assert {m.version for m in MODELS.values()} == {"1.0.0"}


def test_the_public_names_are_these() -> None:
    assert stratvector.strategies.__all__ == [
        "MODELS",
        "BadStrategy",
        "Bars",
        "Certificate",
        "Context",
        "CryptoMomentumModel",
        "Decide",
        "EquityTrendModel",
        "EventStrategy",
        "Floats",
        "FunctionStrategy",
        "IndexMeanReversionModel",
        "IndicatorStrategy",
        "Indicators",
        "MeanReversionStrategy",
        "MomentumStrategy",
        "Panel",
        "Scan",
        "Strategy",
        "Violation",
        "bars_of",
        "certify",
        "check_bounded_memory",
        "check_causality",
        "check_repeatability",
        "create",
        "create_named",
        "decide_jit",
        "ensure_certified",
        "find_strategy",
        "parameter_names",
        "per_symbol",
        "register",
        "require",
        "require_at_least",
        "scan",
        "strategy",
        "trial_bars",
    ]


def test_a_model_is_created_by_id_with_defaults_for_what_is_not_given() -> None:
    model = create("EquityTrendModel_v1", {"max_positions": 3, "equal_weight": False}, 6)
    assert model == EquityTrendModel(max_positions=3, equal_weight=False, bars_per_day=6)


def test_a_whole_number_serves_as_a_float_and_a_numpy_integer_as_a_whole_number() -> None:
    model = create("MeanReversionStrategy", {"threshold": 2, "window": np.int64(20)}, 1)
    assert model.parameters().tolist() == [20, 2]


@pytest.mark.parametrize(
    ("model", "parameters", "kind", "sentence"),
    [
        ("Nope", {}, UnknownModel, "there is no model 'Nope'; registered are "),
        (
            "MomentumStrategy",
            {"fast": 3},
            UnknownParameter,
            "model MomentumStrategy has no parameter 'fast'; it has short_window, long_window",
        ),
        (
            "MomentumStrategy",
            {"bars_per_day": 3},
            UnknownParameter,
            "model MomentumStrategy has no parameter 'bars_per_day'",
        ),
        (
            "MomentumStrategy",
            {"short_window": "10"},
            WrongParameterType,
            "parameter short_window of MomentumStrategy is '10'; it must be a whole number",
        ),
        (
            "MomentumStrategy",
            {"short_window": 10.0},
            WrongParameterType,
            "parameter short_window of MomentumStrategy is 10.0; it must be a whole number",
        ),
        (
            "EquityTrendModel_v1",
            {"max_positions": True},
            WrongParameterType,
            "parameter max_positions of EquityTrendModel_v1 is True; it must be a whole number",
        ),
        (
            "EquityTrendModel_v1",
            {"equal_weight": 1},
            WrongParameterType,
            "parameter equal_weight of EquityTrendModel_v1 is 1; it must be true or false",
        ),
        (
            "MeanReversionStrategy",
            {"threshold": None},
            WrongParameterType,
            "parameter threshold of MeanReversionStrategy is None; it must be a number",
        ),
        (
            "MomentumStrategy",
            {"short_window": 30},
            ImpossibleParameter,
            "model MomentumStrategy is impossible: short_window 30 must be below long_window 30",
        ),
        (
            "MomentumStrategy",
            {"short_window": 0},
            ImpossibleParameter,
            "model MomentumStrategy is impossible: short_window is 0, but it must be at least 1",
        ),
    ],
)
def test_each_mistake_gets_one_clear_sentence(
    model: str, parameters: dict[str, Any], kind: type[BadStrategy], sentence: str
) -> None:
    with pytest.raises(kind) as raised:
        create(model, parameters, 1)
    assert str(raised.value).startswith(sentence)


def test_a_day_without_closes_is_refused() -> None:
    with pytest.raises(ImpossibleParameter, match="bars_per_day is 0"):
        create("MomentumStrategy", {}, 0)


def test_a_users_strategy_registers_and_its_types_are_checked_too() -> None:
    assert register(LastClose) is LastClose
    assert register(LastClose) is LastClose
    assert create("LastClose", {"scale": 2}, 1) == LastClose(scale=2)
    with pytest.raises(WrongParameterType, match="scale of LastClose is 'x'"):
        create("LastClose", {"scale": "x"}, 1)


def test_a_taken_name_is_refused() -> None:
    @dataclass(frozen=True)
    class Impostor(LastClose):
        name: ClassVar[str] = "MomentumStrategy"

    with pytest.raises(NotRegistrable, match=r"is taken by stratvector\.strategies\.momentum"):
        register(Impostor)


def test_a_class_that_is_not_a_complete_named_dataclass_is_refused() -> None:
    class Bare(LastClose):
        pass

    @dataclass(frozen=True)
    class Nameless(LastClose):
        name: ClassVar[str] = " "

    for model, rule in [
        (Strategy, "it must say its `history` and `features`"),
        (Bare, "it must be a @dataclass"),
        (Nameless, "its `name` must be non-empty text"),
    ]:
        with pytest.raises(NotRegistrable) as raised:
            register(model)
        assert rule in str(raised.value)


def test_the_mapping_of_models_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        MODELS["x"] = LastClose  # type: ignore[index]
