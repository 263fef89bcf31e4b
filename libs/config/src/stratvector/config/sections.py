"""A file as a table of keys, and a table of keys as a section whose rules it keeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stratvector.config.bad_config import (
    BadConfig,
    BadValue,
    ConfigMissing,
    ConfigUnreadable,
    UnknownKey,
)
from stratvector.runtime.plain_yaml import NotPlainYaml, parse_plain_yaml
from stratvector.runtime.validation_sentences import (
    MISSING,
    OWN_RULE,
    UNKNOWN,
    Mistake,
    mistakes,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
"""A word that may stand in a lane's subject and in a file's name."""


class Section(BaseModel):
    """A table of keys: unknown ones are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True
    )


Checked = TypeVar("Checked", bound=Section)


def read_document(path: Path, needed: str) -> dict[str, Any]:
    """The keys of a YAML file; none if it is empty.

    needed : what the file is for, a phrase for the error. Raises ConfigMissing, ConfigUnreadable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigMissing(path, needed) from None
    except IsADirectoryError:
        raise ConfigUnreadable(path, f"it is a folder; {needed}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigUnreadable(path, f"it cannot be read: {reason}") from error
    try:
        document = parse_plain_yaml(text)
    except NotPlainYaml as error:
        raise ConfigUnreadable(path, str(error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigUnreadable(path, "it must hold keys and values, such as `system:`")
    return document


def checked(kind: type[Checked], path: Path, document: Mapping[str, Any]) -> Checked:
    """The document as a section. Raises UnknownKey or BadValue about the first thing wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise _refusal(kind, path, mistakes(error.errors())) from None


def _refusal(kind: type[Section], path: Path, found: Sequence[Mistake]) -> BadConfig:
    """Unknown keys first: a misspelt key also makes its rightful one missing."""
    first = min(found, key=lambda mistake: mistake.kind != UNKNOWN)
    if first.kind == UNKNOWN:
        return UnknownKey(path, first.key, _known_keys(kind, first.place[:-1]))
    if first.kind == MISSING:
        return BadValue(path, first.key, None, first.requirement)
    if first.kind == OWN_RULE:
        # A section's own rule; its sentence names the keys that it compares.
        return BadConfig(f"{path}: {first.told()}")
    return BadValue(path, first.key, _shown(first.value), first.requirement)


def _shown(value: object) -> object:
    """Long values by their kind only."""
    return value if len(repr(value)) <= 60 else f"<{type(value).__name__}>"


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
