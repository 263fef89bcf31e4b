"""validation_sentences: what pydantic refuses, as the parts that each refusal is made of.

Configuration, settings, requests, recorded sessions and jobs are all validated by pydantic; each
says in a sentence of its own where the value stands, and takes key and rule from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MISSING, UNKNOWN, OWN_RULE = "missing", "extra_forbidden", "value_error"

Place = tuple[int | str, ...]


@dataclass(frozen=True)
class Mistake:
    """A value that a model refuses.

    kind : pydantic's name of the error, such as MISSING, UNKNOWN (a key that no field reads) and
    OWN_RULE (a validator of the model's own). place : keys and positions that lead to the value.
    message : pydantic's, or the own rule's. limits : the figures in the message, by name.
    """

    kind: str
    place: Place
    value: object
    message: str
    limits: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The place as a user would write it: models[0].budget_fraction."""
        text = ""
        for part in self.place:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    @property
    def rule(self) -> str:
        """The message as a phrase: "input should be a valid integer"."""
        return self.message[:1].lower() + self.message[1:].rstrip(".")

    @property
    def requirement(self) -> str:
        """The rule for someone who edits a file, where we know it: "it must be a whole number"."""
        known = _REQUIREMENTS.get(self.kind)
        return self.rule if known is None else known.format(**self.limits)

    def told(self) -> str:
        """Key and message: "job_id: Field required"."""
        return f"{self.key}: {self.message}" if self.place else self.message

    def refusal(self, shown: str) -> str:
        """Key, value and rule. shown : the value, or what stands for it."""
        return f"{self.key} can't be {shown}: {self.rule}"


def mistakes(errors: Iterable[Mapping[str, Any]], below: Place = ()) -> list[Mistake]:
    """What `ValidationError.errors()` lists, in its order. below : where the validated value is."""
    return [
        Mistake(
            error["type"],
            (*below, *error["loc"]),
            error["input"],
            error["msg"].removeprefix("Value error, "),
            error.get("ctx", {}),
        )
        for error in errors
    ]


_REQUIREMENTS = {
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be below {lt}",
    "less_than_equal": "it must be at most {le}",
    "finite_number": "it must be a finite number",
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "decimal_parsing": "it must be a number",
    "decimal_type": "it must be a number",
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "string_type": "it must be text: put it in quotes if it is meant as it stands",
    "tuple_type": "it must be a list",
    "dict_type": "it must be a table of keys",
    "model_type": "it must be a table of keys",
    "too_short": "it must have at least {min_length} entry",
    "literal_error": "it must be one of {expected}",
    "string_pattern_mismatch": "it must consist of letters, digits, _ and - only",
    MISSING: "it must be given",
}
