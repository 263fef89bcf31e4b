"""The base of every section, and pydantic's complaints put into one sentence of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stratvector.config.bad_config import BadConfig, BadValue, UnknownKey

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
"""A word that may stand in a lane's subject and in a file's name."""


class Section(BaseModel):
    """A table of keys: unknown ones are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True
    )


Checked = TypeVar("Checked", bound=Section)


def checked(kind: type[Checked], path: Path, document: Mapping[str, Any]) -> Checked:
    """The document as a section. Raises UnknownKey or BadValue about the first thing wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise _refusal(kind, path, error.errors()) from None


def _refusal(kind: type[Section], path: Path, errors: Sequence[Mapping[str, Any]]) -> BadConfig:
    """Unknown keys first: a misspelt key also makes its rightful one missing."""
    details = sorted(errors, key=lambda e: e["type"] != "extra_forbidden")[0]
    place = details["loc"]
    if details["type"] == "extra_forbidden":
        return UnknownKey(path, dotted(place), _known_keys(kind, place[:-1]))
    if details["type"] == "missing":
        return BadValue(path, dotted(place), None, "it must be given")
    if details["type"] == "value_error":
        # A section's own rule; its sentence names the keys that it compares.
        key = dotted(place)
        return BadConfig(f"{path}: {key + ': ' if key else ''}{details['ctx']['error']}")
    return BadValue(path, dotted(place), _shown(details["input"]), _rule(details))


def _rule(details: Mapping[str, Any]) -> str:
    known = _RULES.get(details["type"])
    if known is not None:
        return known.format(**details.get("ctx", {}))
    message: str = details["msg"]
    return message[0].lower() + message[1:].rstrip(".")


_RULES = {
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
}


def _shown(value: object) -> object:
    """Long values by their kind only."""
    return value if len(repr(value)) <= 60 else f"<{type(value).__name__}>"


def dotted(place: tuple[int | str, ...]) -> str:
    """A place as a user would write it: models[0].budget_fraction."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _known_keys(kind: type[Section], place: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at a place below `kind`."""
    annotation: Any = kind
    for part in place:
        section = _section(annotation)
        if section is not None:
            annotation = section.model_fields[str(part)].annotation
        else:
            annotation = _element(annotation)
    section = _section(annotation)
    return list(section.model_fields) if section else []


def _section(annotation: Any) -> type[Section] | None:
    if get_origin(annotation) in (Union, UnionType):
        found = [s for s in map(_section, get_args(annotation)) if s is not None]
        return found[0] if found else None
    is_section = isinstance(annotation, type) and issubclass(annotation, Section)
    return annotation if is_section else None


def _element(annotation: Any) -> Any:
    """What a list or a table of names holds."""
    inner = get_args(annotation)
    return inner[1] if get_origin(annotation) is dict else inner[0]
