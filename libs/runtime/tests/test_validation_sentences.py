"""What pydantic refuses is told by key, value and rule, wherever the value stands."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stratvector.runtime.validation_sentences import MISSING, OWN_RULE, UNKNOWN, Mistake, mistakes


class Leg(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lots: int = Field(ge=1)
    side: str = "buy"

    @field_validator("side")
    @classmethod
    def _is_a_side(cls, side: str) -> str:
        if side not in ("buy", "sell"):
            raise ValueError("Buy or sell.")
        return side


class Ticket(BaseModel):
    legs: list[Leg]


def mistakes_in(document: Any) -> list[Mistake]:
    with pytest.raises(ValidationError) as refused:
        Ticket.model_validate(document)
    return mistakes(refused.value.errors(), below=("ticket",))


def mistake_in(leg: dict[str, Any]) -> Mistake:
    (found,) = mistakes_in({"legs": [{"lots": 1}, leg]})
    return found


def test_a_figure_out_of_range_is_told_in_either_wording() -> None:
    found = mistake_in({"lots": 0})
    assert (found.key, found.value) == ("ticket.legs[1].lots", 0)
    assert found.requirement == "it must be at least 1"
    assert found.refusal("0") == (
        "ticket.legs[1].lots can't be 0: input should be greater than or equal to 1"
    )


def test_a_rule_of_the_model_is_told_in_its_own_words() -> None:
    found = mistake_in({"lots": 1, "side": "hold"})
    assert found.kind == OWN_RULE
    assert found.told() == "ticket.legs[1].side: Buy or sell."
    assert found.rule == found.requirement == "buy or sell"


def test_a_missing_and_an_unknown_key_are_told_apart_in_pydantics_order() -> None:
    found = mistakes_in({"legs": [{"lot": 1}]})
    assert [(one.kind, one.key) for one in found] == [
        (MISSING, "ticket.legs[0].lots"),
        (UNKNOWN, "ticket.legs[0].lot"),
    ]
    assert found[0].requirement == "it must be given"


def test_what_is_wrong_as_a_whole_has_no_key() -> None:
    with pytest.raises(ValidationError) as refused:
        Ticket.model_validate_json("[]")
    (found,) = mistakes(refused.value.errors())
    assert (found.key, found.told()) == ("", "Input should be an object")
