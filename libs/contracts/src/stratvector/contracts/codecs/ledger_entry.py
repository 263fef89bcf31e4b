"""The canonical text of a ledger entry: JSON, the same bytes for the same content on every run.

The ledger keeps it and hashes it. It is no message: cash and equity have more digits than the
wire's Decimal, and what was recorded stays readable when a decoder of messages learns a new rule.
Fields go by name in the order of their dataclass, entries of a mapping by name; money is its exact
text, codes are their names, and a double that JSON has no number for is "nan", "inf" or "-inf".
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from stratvector.contracts.bad_message import BadMessage
from stratvector.trading.ledger import LedgerEntry

Convert = Callable[[Any], Any]
NOUN = "ledger entry"


def encode_ledger_entry(entry: LedgerEntry) -> bytes:
    """The canonical text of an entry."""
    document = _ENTRY_WRITER(entry)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def decode_ledger_entry(payload: bytes) -> LedgerEntry:
    """The entry in a canonical text, to the last bit and digit. Raises BadMessage."""
    try:
        entry: LedgerEntry = _reader(LedgerEntry)(json.loads(payload))
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation) as error:
        raise BadMessage(NOUN, f"{len(payload)} bytes are no ledger entry: {error}") from error
    return entry


@cache
def _writer(hint: Any) -> Convert | None:
    """From a value of a type to JSON; None: it is JSON as it stands."""
    if is_dataclass(hint):
        return _dataclass_writer(hint)
    if hint is float:
        return _number
    if hint is Decimal:
        return str
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda member: member.name
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _sequence_writer(inner)
    if origin is dict:
        return _mapping_writer(_writer(inner[1]))
    if origin in (Union, UnionType):
        written = _writer(_optional(inner))
        return written and (lambda value: None if value is None else written(value))
    return None


def _dataclass_writer(kind: Any) -> Convert:
    hints = get_type_hints(kind)
    written = [(field.name, _writer(hints[field.name])) for field in fields(kind)]

    def write(value: Any) -> dict[str, Any]:
        return {
            name: getattr(value, name) if convert is None else convert(getattr(value, name))
            for name, convert in written
        }

    return write


def _sequence_writer(inner: Sequence[Any]) -> Convert:
    if len(inner) == 2 and inner[1] is not Ellipsis:
        first, second = (_writer(hint) or _itself for hint in inner)
        return lambda pair: [first(pair[0]), second(pair[1])]
    convert = _writer(inner[0])
    return list if convert is None else lambda values: [convert(value) for value in values]


def _mapping_writer(convert: Convert | None) -> Convert:
    each = convert or _itself
    return lambda pairs: {name: each(value) for name, value in sorted(pairs.items())}


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
        return hint.__getitem__
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
    """A field that an earlier version did not know has its default."""
    hints = get_type_hints(kind)
    read = [(field.name, _reader(hints[field.name]), _has_default(field)) for field in fields(kind)]
    known = frozenset(hints)

    def make(document: Any) -> Any:
        if not document.keys() <= known:
            raise ValueError(f"{kind.__name__} has no {min(document.keys() - known)}")
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


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _double(value: Any) -> float:
    if type(value) not in (float, str):
        raise TypeError(f"{value!r} is no float")
    return float(value)


def _money(value: Any) -> Decimal:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no money")
    return Decimal(value)


def _itself(value: Any) -> Any:
    return value


_ENTRY_WRITER = _dataclass_writer(LedgerEntry)
