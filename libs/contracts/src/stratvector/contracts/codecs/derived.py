"""Codecs derived from a dataclass and the descriptor of its message: fields meet by name.

    noun ─▶ {field: value in the wire's own types} ─▶ message(**values)
    message ─▶ [value in the domain's types] ─▶ noun(*values)

A time `x` is `x_ns` on the wire, money is a Decimal or, where it has more digits, a text, an enum's
member has the same name, a tuple or a column of doubles is repeated, a mapping is repeated pairs
ordered by name, and `| None` is a
field that may be absent (of an enum: number 0). A codec is derived once, when it is imported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from functools import partial
from operator import methodcaller
from types import MappingProxyType, NoneType
from typing import Any, Final, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from stratvector.contracts.codecs.compiled import Convert, Rule, reader, writer
from stratvector.contracts.codecs.decimals import (
    decimal_from_text,
    decimal_from_wire,
    decimal_to_text,
    decimal_to_wire,
)
from stratvector.contracts.codecs.enumerations import DoesNotFit, both_ways
from stratvector.contracts.v1 import decimal_pb2

Noun = TypeVar("Noun")
Wire = TypeVar("Wire", bound=Message)
Key = TypeVar("Key")
Value = TypeVar("Value")
Ways = tuple[Convert | None, Convert | None]  # there and back; None leaves a value as it is

AS_IT_IS: Final[Ways] = (None, None)
INTEGERS: Final = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
SCALARS: Final[Mapping[Any, Sequence[int]]] = {
    bool: (FieldDescriptor.CPPTYPE_BOOL,),
    float: (FieldDescriptor.CPPTYPE_DOUBLE,),
    int: INTEGERS,
    str: (FieldDescriptor.CPPTYPE_STRING,),
}


@dataclass(frozen=True)
class Exceptions:
    """Where one dataclass departs from the rules, by the names of its fields.

    named : other names on the wire. prepared : what becomes of a value before it is written.
    in_own_order : mappings whose entries are not sorted.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    prepared: Mapping[str, Convert] = field(default_factory=dict)
    in_own_order: frozenset[str] = frozenset()

    def refuse_unknown(self, noun: Any) -> None:
        """An exception outlives no field. Raises DoesNotFit."""
        told = self.named.keys() | self.prepared.keys() | self.in_own_order
        unknown = sorted(told - {one.name for one in fields(noun)})
        if unknown:
            raise DoesNotFit(
                f"{noun.__name__} has no field {', '.join(unknown)}, which its exceptions name"
            )


class Codec(NamedTuple, Generic[Noun, Wire]):
    """Both ways between a dataclass and its message.

    message : its class. values : what it is made of, by field; nested messages are dictionaries.
    to_wire raises TypeError or ValueError for a value that does not fit, from_wire ValueError.
    """

    message: type[Wire]
    to_wire: Callable[[Noun], Wire]
    from_wire: Callable[[Wire], Noun]
    values: Callable[[Noun], dict[str, Any]]


def derived(
    noun: type[Noun],
    message: type[Wire],
    exceptions: Mapping[type[Any], Exceptions] = MappingProxyType({}),
    path: str = "",
) -> Codec[Noun, Wire]:
    """The codec of a dataclass.

    exceptions : by dataclass, of this one and of those nested in it. path : to the message from the
    one that it is nested in, such as "cut.", for sentences that refuse an entry.
    Raises DoesNotFit when a field has no counterpart, or one of another kind.
    """
    own = exceptions.get(noun, Exceptions())
    hints = get_type_hints(noun)
    own.refuse_unknown(noun)
    rules = [
        _Derivation(noun, name, wire, own, exceptions, path).rule(hints[name])
        for name, wire in _matched(noun, message, own.named)
    ]
    values = writer(rules)
    return Codec(message, lambda content: message(**values(content)), reader(noun, rules), values)


def unique(field: str, pairs: Sequence[tuple[Key, Value]]) -> dict[Key, Value]:
    """Entries by name, in the message's order. Raises ValueError when a name comes twice."""
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError(f"{field} has {len(pairs)} entries for {len(entries)} names")
    return entries


def _matched(
    noun: Any, message: type[Message], named: Mapping[str, str]
) -> list[tuple[str, FieldDescriptor]]:
    """The dataclass's fields in their order, each with the message's field."""
    on_wire: dict[str, Any] = {one.name: one for one in message.DESCRIPTOR.fields}
    names = [one.name for one in fields(noun)]
    chosen = {
        name: wire
        for name in names
        for wire in (named.get(name, name), f"{name}_ns")
        if wire in on_wire
    }
    missing = [f"only {noun.__name__} has {name}" for name in names if name not in chosen]
    added = [f"only the message has {wire}" for wire in on_wire if wire not in set(chosen.values())]
    if missing or added:
        raise DoesNotFit(
            f"dataclass {noun.__name__} and message {message.DESCRIPTOR.full_name} must have the "
            f"same fields; {', '.join(missing + added)}"
        )
    return [(name, on_wire[chosen[name]]) for name in names]


@dataclass(frozen=True)
class _Derivation:
    """Finds the rule of one field."""

    noun: type[Any]
    name: str
    wire: FieldDescriptor
    own: Exceptions
    exceptions: Mapping[type[Any], Exceptions]
    path: str

    def rule(self, declared: Any) -> Rule:
        hint = _without_none(declared)
        may_miss = hint is not declared
        there, back = self._repeated(hint) if self.wire.is_repeated else self._single(hint)
        there = _after(self.own.prepared.get(self.name), there)
        if may_miss and self.wire.enum_type and not self.wire.has_presence and there and back:
            return Rule(self.name, self.wire, _none_as_zero(there), _zero_as_none(back), False)
        if may_miss != self.wire.has_presence and (may_miss or self.wire.message_type is None):
            raise self._unfit(declared)
        if may_miss:
            there = _unless_none(there)
        return Rule(self.name, self.wire, there, back, may_miss)

    def _single(self, hint: Any) -> Ways:
        if self.wire.cpp_type in SCALARS.get(hint, ()):
            return AS_IT_IS
        if hint is Decimal and self.wire.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return decimal_to_text, partial(decimal_from_text, self.wire.name)
        if _is_enum(hint) and self.wire.enum_type is not None:
            there, back = both_ways(hint, EnumTypeWrapper(self.wire.enum_type))
            return there.__getitem__, back.__getitem__
        if self.wire.message_type is None:
            raise self._unfit(hint)
        if hint is Decimal and self.wire.message_type is decimal_pb2.Decimal.DESCRIPTOR:
            name = self.wire.name
            return partial(decimal_to_wire, name), partial(decimal_from_wire, name)
        if not (is_dataclass(hint) and isinstance(hint, type)):
            raise self._unfit(hint)
        path = "" if self.wire.is_repeated else f"{self.path}{self.wire.name}."
        nested = derived(hint, GetMessageClass(self.wire.message_type), self.exceptions, path)
        return nested.values, nested.from_wire

    def _repeated(self, hint: Any) -> Ways:
        origin, inner = get_origin(hint), get_args(hint)
        if origin is np.ndarray and self.wire.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
            return methodcaller("tolist"), lambda values: np.fromiter(values, np.float64)
        if origin in (dict, Mapping) and self.wire.message_type is not None:
            return self._pairs(inner)
        if origin is not tuple or inner[1:] != (Ellipsis,):
            raise self._unfit(hint)
        there, back = self._single(inner[0])
        return there and _each(there, list), _each(back, tuple) if back else tuple

    def _pairs(self, inner: Sequence[Any]) -> Ways:
        entry = self.wire.message_type
        if entry is None or len(entry.fields) != 2:
            raise self._unfit(dict)
        key, value = (
            replace(self, name=one.name, wire=one, own=Exceptions()).rule(hint)
            for one, hint in zip(entry.fields, inner, strict=True)
        )
        there, label = value.there or _itself, f"{self.path}{self.wire.name}"
        entries = _entries if self.name in self.own.in_own_order else _sorted_entries
        read = reader(lambda *pair: pair, [key, value])
        return (
            lambda pairs: [{key.name: one, value.name: there(of)} for one, of in entries(pairs)],
            lambda wires: unique(label, [read(wire) for wire in wires]),
        )

    def _unfit(self, hint: Any) -> DoesNotFit:
        kind = hint.__name__ if isinstance(hint, type) else hint
        return DoesNotFit(
            f"{self.noun.__name__}.{self.name} is {kind}: no rule translates it to "
            f"{self.wire.full_name}"
        )


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`; anything else as it is."""
    inner = get_args(hint)
    if NoneType not in inner or len(inner) != 2:
        return hint
    return inner[inner[0] is NoneType]


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)


def _each(convert: Convert, collect: Convert) -> Convert:
    return lambda values: collect(map(convert, values))


def _after(first: Convert | None, then: Convert | None) -> Convert | None:
    if first and then:
        return lambda value: then(first(value))
    return first or then


def _unless_none(convert: Convert | None) -> Convert | None:
    return convert and (lambda value: None if value is None else convert(value))


def _none_as_zero(convert: Convert) -> Convert:
    return lambda member: 0 if member is None else convert(member)


def _zero_as_none(convert: Convert) -> Convert:
    return lambda number: convert(number) if number else None


def _sorted_entries(pairs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return sorted(pairs.items())


def _entries(pairs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return pairs.items()


def _itself(value: Any) -> Any:
    return value
