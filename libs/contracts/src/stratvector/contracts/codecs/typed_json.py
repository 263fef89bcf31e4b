"""JSON of a dataclass, by the types of its fields: the same text for the same content on every run,
and the same values back to the last bit and digit.

Fields go by name in the order of their dataclass, entries of a mapping by name; money is its exact
text, codes are their names, and a double that JSON has no number for is "nan", "inf" or "-inf". A
field that is not there has its default. Mappings are `dict`s whose names are text.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Convert = Callable[[Any], Any]
Kind = TypeVar("Kind")

# Fields that earlier versions wrote, by dataclass.
RETIRED = {"Decision": frozenset({"account"})}


class BadText(ValueError):
    """It is no text of such a dataclass; the message says why."""


def encode_typed(content: Any) -> bytes:
    """The text of a dataclass."""
    return _JSON.encode(_writer(cast(Any, type(content)))(content)).encode()


def decode_typed(kind: type[Kind], text: bytes) -> Kind:
    """The dataclass in a text. Raises BadText."""
    try:
        content: Kind = _reader(cast(Any, kind))(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation) as error:
        raise BadText(str(error)) from error
    return content


@cache
def _writer(kind: Any) -> Convert:
    """From a dataclass to what JSON is made of, as one expression over its fields: each close of a
    record passes here, and a call per field takes longer than the text. Only names of fields and
    types, which Python has let pass, vary in it.
    """
    hints, used = get_type_hints(kind), {"isfinite": isfinite}
    written = [
        f"{field.name!r}: {_written(hints[field.name], f'noun.{field.name}', used)}"
        for field in fields(kind)
    ]
    function: Convert = eval(f"lambda noun: {{{', '.join(written)}}}", used)
    return function


def _written(hint: Any, value: str, used: dict[str, Any]) -> str:
    """An expression for a value of a type. used : what the expression calls, by name."""
    if isinstance(hint, type) and is_dataclass(hint):
        used[f"write_{hint.__name__}"] = _writer(hint)
        return f"write_{hint.__name__}({value})"
    if hint is float:
        return f"({value} if isfinite({value}) else repr({value}))"
    if hint is Decimal:
        return f"str({value})"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"{value}._name_"
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _sequence_written(inner, value, used)
    if origin is dict:
        one = _written(inner[1], "one", used)
        return f"{{name: {one} for name, one in sorted({value}.items())}}"
    if origin in (Union, UnionType):
        return f"(None if {value} is None else {_written(_optional(inner), value, used)})"
    return value


def _sequence_written(inner: Sequence[Any], value: str, used: dict[str, Any]) -> str:
    if len(inner) == 2 and inner[1] is not Ellipsis:
        pair = [_written(hint, f"{value}[{place}]", used) for place, hint in enumerate(inner)]
        return f"[{', '.join(pair)}]"
    one = _written(inner[0], "one", used)
    several = f"[{one} for one in {value}]"
    if inner[0] is float:
        return f"({value} if all(map(isfinite, {value})) else {several})"
    return value if one == "one" else several


@cache
def _reader(hint: Any) -> Convert:
    """From JSON to a value of a type."""
    if is_dataclass(hint):
        return _dataclass_reader(hint)
    if hint is float:
        return _double
    if hint is Decimal:
        return _money
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda name: hint[name]  # a code that is a text has a __getitem__ of its own
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _sequence_reader(inner)
    if origin is dict:
        each = _reader(inner[1])
        return lambda pairs: {name: each(value) for name, value in pairs.items()}
    if origin in (Union, UnionType):
        read = _reader(_optional(inner))
        return lambda value: None if value is None else read(value)
    return _plain(hint)


def _dataclass_reader(kind: Any) -> Convert:
    """A field that an earlier version did not know has its default; one that only it knew is passed
    over.
    """
    hints = get_type_hints(kind)
    read = [(field.name, _reader(hints[field.name]), _has_default(field)) for field in fields(kind)]
    known, retired = frozenset(hints), RETIRED.get(kind.__name__, frozenset())

    def make(document: Any) -> Any:
        if not document.keys() <= known and (other := document.keys() - known - retired):
            raise ValueError(f"{kind.__name__} has no {min(other)}")
        return kind(
            **{
                name: convert(document[name])
                for name, convert, optional in read
                if not optional or name in document
            }
        )

    return make


def _has_default(field: Any) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _sequence_reader(inner: Sequence[Any]) -> Convert:
    if len(inner) == 2 and inner[1] is not Ellipsis:
        first, second = map(_reader, inner)
        return lambda pair: (first(pair[0]), second(pair[1]))
    each = _reader(inner[0])
    return lambda values: tuple([each(value) for value in values])


def _optional(inner: Sequence[Any]) -> Any:
    """The type beside None."""
    (hint,) = [one for one in inner if one is not NoneType]
    return hint


def _plain(kind: Any) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _double(value: Any) -> float:
    if type(value) not in (float, str):
        raise TypeError(f"{value!r} is no float")
    return float(value)


def _money(value: Any) -> Decimal:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no money")
    return Decimal(value)


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
