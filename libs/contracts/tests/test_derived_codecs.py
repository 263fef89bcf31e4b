"""A codec follows its dataclass and its message: nothing else names a field."""

from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from stratvector.contracts.codecs.derived import Codec, Exceptions, derived
from stratvector.contracts.codecs.enumerations import DoesNotFit
from stratvector.contracts.v1 import decimal_pb2

PACKAGES = count()
SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_SINT64,
    "time": descriptor_pb2.FieldDescriptorProto.TYPE_SFIXED64,
}
ENTRIES = {
    "Held": {"symbol": "string", "lots": "int64"},
    "Size": {"symbol": "string", "units": "Decimal"},
    "Leg": {"symbol": "string", "held": "repeated Held"},
}


def message(**members: str) -> type[Message]:
    """A throwaway message whose fields are of the kinds told, such as "repeated double"."""
    package = f"throwaway{next(PACKAGES)}"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax="proto3",
        dependency=[decimal_pb2.DESCRIPTOR.name],
    )
    side = file.enum_type.add(name="OrderSide")
    for number, name in enumerate(("UNSPECIFIED", "BUY", "SELL")):
        side.value.add(name=f"ORDER_SIDE_{name}", number=number)
    for name, inner in (ENTRIES | {"Trade": members}).items():
        _add_message(file.message_type.add(name=name), package, inner)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.Trade"))


def _add_message(
    entry: descriptor_pb2.DescriptorProto, package: str, members: Mapping[str, str]
) -> None:
    for number, (name, kind) in enumerate(members.items(), start=1):
        *label, of = kind.split()
        added = entry.field.add(name=name, number=number)
        added.label = added.LABEL_REPEATED if label == ["repeated"] else added.LABEL_OPTIONAL
        if label == ["optional"]:
            added.proto3_optional, added.oneof_index = True, len(entry.oneof_decl)
            entry.oneof_decl.add(name=f"_{name}")
        if of in SCALARS:
            added.type = SCALARS[of]
            continue
        added.type = added.TYPE_ENUM if of == "OrderSide" else added.TYPE_MESSAGE
        home = decimal_pb2.DESCRIPTOR.package if of == "Decimal" else package
        added.type_name = f".{home}.{of}"


def trade(**hints: Any) -> type[Any]:
    """A throwaway dataclass."""
    return make_dataclass("Trade", list(hints.items()), frozen=True)


def travelled(codec: Codec[Any, Any], noun: Any) -> Any:
    return codec.from_wire(codec.message.FromString(codec.to_wire(noun).SerializeToString()))


class OrderSide(StrEnum):
    """Numbers on the wire, words in the domain."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True)
class Leg:
    symbol: str
    held: dict[str, int]


# Of each rule: the dataclass's type, the message's field, and values that must come back.
RULES: dict[str, tuple[Any, str, str, list[Any]]] = {
    "text": (str, "x", "string", ["", "ü"]),
    "a whole number": (int, "x", "int64", [0, -(2**63)]),
    "a time": (int, "x_ns", "time", [0, 2**63 - 1]),
    "a double": (float, "x", "double", [-0.0, float("inf"), 5e-324]),
    "a flag": (bool, "x", "bool", [False, True]),
    "money": (Decimal, "x", "Decimal", [Decimal("1.50"), Decimal("1E-40")]),
    "a member": (OrderSide, "x", "OrderSide", list(OrderSide)),
    "another dataclass": (Leg, "x", "Leg", [Leg("", {}), Leg("a", {"b": 1})]),
    "text that may be absent": (str | None, "x", "optional string", [None, "", "a"]),
    "a time that may be absent": (int | None, "x_ns", "optional time", [None, 0, 1]),
    "money that may be absent": (Decimal | None, "x", "Decimal", [None, Decimal(0)]),
    "a member that may be absent": (OrderSide | None, "x", "OrderSide", [None, *OrderSide]),
    "a dataclass that may be absent": (Leg | None, "x", "Leg", [None, Leg("", {})]),
    "texts": (tuple[str, ...], "x", "repeated string", [(), ("b", "a", "b")]),
    "times": (tuple[int, ...], "x_ns", "repeated time", [(), (2, 1)]),
    "members": (tuple[OrderSide, ...], "x", "repeated OrderSide", [(), tuple(OrderSide)]),
    "dataclasses": (tuple[Leg, ...], "x", "repeated Leg", [(), (Leg("a", {}), Leg("b", {}))]),
    "moneys": (tuple[Decimal, ...], "x", "repeated Decimal", [(), (Decimal("2.0"), Decimal(1))]),
    "a mapping": (dict[str, int], "x", "repeated Held", [{}, {"a": 1, "b": -1}]),
    "a read-only mapping": (Mapping[str, int], "x", "repeated Held", [{}, {"a": 1}]),
    "a mapping to money": (dict[str, Decimal], "x", "repeated Size", [{"a": Decimal("0.10")}]),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_new_field_travels_once_the_dataclass_and_the_message_have_it(rule: str) -> None:
    hint, name, kind, values = RULES[rule]
    before = derived(trade(symbol=str), message(symbol="string"))
    assert travelled(before, trade(symbol=str)("SPY")).symbol == "SPY"
    noun = trade(symbol=str, x=hint)
    codec = derived(noun, message(symbol="string", **{name: kind}))
    for value in values:
        back = travelled(codec, noun("SPY", value))
        assert (back.symbol, back.x, repr(back.x)) == ("SPY", value, repr(value))


def test_a_column_comes_back_to_the_bit_in_memory_of_its_own() -> None:
    noun = trade(x=npt.NDArray[np.float64])
    codec = derived(noun, message(x="repeated double"))
    column = np.array([np.nan, -0.0, np.inf, 5e-324])
    back = travelled(codec, noun(column)).x
    assert (back.tobytes(), back.dtype) == (column.tobytes(), np.float64)
    assert back.flags.writeable
    assert back.flags.owndata


@pytest.mark.parametrize("rule", ["text", "a whole number", "a time", "a flag", "texts"])
def test_none_where_a_value_is_due_is_refused_and_not_left_out(rule: str) -> None:
    hint, name, kind, _ = RULES[rule]
    noun = trade(x=hint)
    with pytest.raises(TypeError, match="x is None"):
        derived(noun, message(**{name: kind})).to_wire(noun(None))


@pytest.mark.parametrize(
    ("hints", "members", "told"),
    [
        ({"a": str, "lots": int}, {"a": "string"}, "only Trade has lots"),
        ({"a": str}, {"a": "string", "fee": "Decimal"}, "only the message has fee"),
        (
            {"at": int},
            {"when_ns": "time"},
            "only Trade has at, only the message has when_ns",
        ),
    ],
)
def test_a_field_that_one_side_lacks_is_told_with_both_names(
    hints: dict[str, Any], members: dict[str, str], told: str
) -> None:
    wire = message(**members)
    with pytest.raises(DoesNotFit) as refusal:
        derived(trade(**hints), wire)
    assert str(refusal.value) == (
        f"dataclass Trade and message {wire.DESCRIPTOR.full_name} must have the same fields; {told}"
    )


@pytest.mark.parametrize(
    ("hint", "kind", "shown"),
    [
        (str, "int64", "str"),
        (int, "double", "int"),
        (float, "Decimal", "float"),
        (Decimal, "double", "Decimal"),
        (Decimal, "Held", "Decimal"),
        (Leg, "string", "Leg"),
        (str, "repeated string", "str"),
        (tuple[str, ...], "string", "tuple[str, ...]"),
        (tuple[str, str], "repeated string", "tuple[str, str]"),
        (dict[str, int], "repeated string", "dict[str, int]"),
        (int | None, "int64", "int | None"),
        (int, "optional int64", "int"),
        (tuple[str, ...] | None, "repeated string", "tuple[str, ...] | None"),
        (npt.NDArray[np.float64], "repeated int64", "numpy.ndarray["),
    ],
)
def test_fields_of_kinds_that_no_rule_brings_together_are_told(
    hint: Any, kind: str, shown: str
) -> None:
    wire = message(x=kind)
    with pytest.raises(DoesNotFit) as refusal:
        derived(trade(x=hint), wire)
    assert str(refusal.value).startswith(f"Trade.x is {shown}")
    assert str(refusal.value).endswith(f": no rule translates it to {wire.DESCRIPTOR.full_name}.x")


@pytest.mark.parametrize("names", [("BUY",), ("BUY", "SELL", "HOLD")])
def test_enums_with_other_names_are_told(names: tuple[str, ...]) -> None:
    side = Enum("Side", names)  # type: ignore[misc]
    wire = message(x="OrderSide")
    with pytest.raises(DoesNotFit, match=r"enum Side and throwaway\d+.OrderSide must"):
        derived(trade(x=side), wire)


def test_a_number_that_names_no_member_is_refused_with_the_enums_name() -> None:
    codec = derived(trade(x=OrderSide), message(x="OrderSide"))
    with pytest.raises(ValueError, match="0 names no OrderSide"):
        codec.from_wire(codec.message())


def test_a_message_that_must_be_there_is_refused_when_it_is_missing() -> None:
    codec = derived(trade(leg=Leg), message(leg="Leg"))
    with pytest.raises(ValueError, match="leg is missing"):
        codec.from_wire(codec.message())


def test_a_mapping_is_written_by_name_and_read_with_each_name_once() -> None:
    noun = trade(leg=Leg)
    codec = derived(noun, message(leg="Leg"))
    wire: Any = codec.to_wire(noun(Leg("a", {"b": 1, "a": 2})))
    assert [one.symbol for one in wire.leg.held] == ["a", "b"]
    wire.leg.held.add(symbol="b")
    with pytest.raises(ValueError, match=r"leg\.held has 3 entries for 2 names"):
        codec.from_wire(wire)


def test_exceptions_rename_a_field_prepare_a_value_and_keep_an_order() -> None:
    noun = trade(records=int, cash=Decimal | None, leg=Leg)
    wire = message(number="int64", cash="Decimal", leg="Leg")
    prepared = {"cash": lambda cash: cash.quantize(Decimal("0.01"))}
    exceptions = {
        noun: Exceptions(named={"records": "number"}, prepared=prepared),
        Leg: Exceptions(in_own_order=frozenset({"held"})),
    }
    codec = derived(noun, wire, exceptions)
    sent = noun(3, Decimal("1.005"), Leg("a", {"b": 1, "a": 2}))
    back = travelled(codec, sent)
    assert (back.records, str(back.cash), list(back.leg.held)) == (3, "1.00", ["b", "a"])
    assert travelled(codec, noun(3, None, sent.leg)).cash is None


def test_an_exception_for_a_field_that_there_is_not_is_told() -> None:
    noun = trade(x=int)
    with pytest.raises(DoesNotFit, match="Trade has no field fee, which its exceptions name"):
        derived(noun, message(x="int64"), {noun: Exceptions(named={"fee": "x"})})
