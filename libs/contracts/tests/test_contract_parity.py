"""The protos hold what the domain holds: field by field, and enum member by enum member."""

import dataclasses
from enum import IntEnum
from typing import Any

import pytest

from stratvector.contracts.codecs import Owner
from stratvector.contracts.codecs.enumerations import both_ways
from stratvector.contracts.v1 import (
    bars_pb2,
    chapters_pb2,
    decimal_pb2,
    fills_pb2,
    orders_pb2,
    owner_pb2,
    positions_pb2,
    signals_pb2,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import (
    Carried,
    CarriedAccount,
    CarriedCell,
    CarriedDate,
    CarriedModel,
    CarriedOrder,
    CarriedSymbol,
    OrderWord,
)
from stratvector.trading.chapters import Chapter, ChapterBars, GoneUniverse, Opened
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.flow import FLOW
from stratvector.trading.ledger import Positions
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
    ValueAtRisk,
)
from stratvector.trading.portfolio import Costs
from stratvector.trading.reasons import Outcome, SignalReason, Stage, WeightReason
from stratvector.trading.signals import Action, SignalRow, Signals

FILES = {
    "bars": bars_pb2,
    "chapters": chapters_pb2,
    "decimal": decimal_pb2,
    "fills": fills_pb2,
    "orders": orders_pb2,
    "owner": owner_pb2,
    "positions": positions_pb2,
    "signals": signals_pb2,
}
MESSAGES = {name: message for file in FILES.values() for name, message in vars(file).items()}
NOUNS = (
    ApprovedOrder,
    Cancel,
    Carried,
    CarriedCell,
    CarriedAccount,
    CarriedDate,
    CarriedModel,
    CarriedOrder,
    CarriedSymbol,
    Chapter,
    ChapterBars,
    ClosedBars,
    Costs,
    Cross,
    Cut,
    Decision,
    FillEvent,
    FillsReport,
    GoneUniverse,
    Opened,
    Owner,
    Positions,
    SignalRow,
    Signals,
    SymbolDecision,
    ValueAtRisk,
)
# A dictionary's entries and a Decimal are messages on the wire only.
WIRE_ONLY = {
    "CarriedClose",
    "CarriedSequence",
    "CarriedWeight",
    "Decimal",
    "Position",
    "UsedBars",
    "UsedSignals",
}

# Domain enum, wire enum, prefix on the wire, and by how much the wire's numbers are higher:
# protobuf keeps 0 for "unspecified", so an enum that starts at 0 moves up by one.
ENUMS = [
    (Action, signals_pb2.Action, "ACTION_", 1),
    (SignalReason, signals_pb2.SignalReason, "SIGNAL_REASON_", 1),
    (WeightReason, orders_pb2.WeightReason, "WEIGHT_REASON_", 1),
    (Outcome, orders_pb2.Outcome, "OUTCOME_", 1),
    (Stage, orders_pb2.Stage, "STAGE_", 1),
    (FillKind, fills_pb2.FillKind, "FILL_KIND_", 0),
    (OrderWord, chapters_pb2.OrderWord, "ORDER_WORD_", 0),
]


@pytest.mark.parametrize("noun", NOUNS)
def test_a_message_has_the_fields_of_its_noun_in_their_order(noun: type[Any]) -> None:
    on_the_wire = [
        field.name.removesuffix("_ns") for field in MESSAGES[noun.__name__].DESCRIPTOR.fields
    ]
    assert on_the_wire == [field.name for field in dataclasses.fields(noun)]


def test_every_message_of_the_protos_is_checked_here() -> None:
    in_protos = {name for file in FILES.values() for name in file.DESCRIPTOR.message_types_by_name}
    assert in_protos == {noun.__name__ for noun in NOUNS} | WIRE_ONLY


@pytest.mark.parametrize("hop", FLOW, ids=lambda hop: hop.noun)
def test_every_hops_message_is_in_the_file_of_its_noun(hop: Any) -> None:
    assert hop.message in FILES[hop.noun].DESCRIPTOR.message_types_by_name


@pytest.mark.parametrize(("domain", "wire", "prefix", "shift"), ENUMS)
def test_an_enum_has_the_domains_names_and_numbers(
    domain: type[IntEnum], wire: Any, prefix: str, shift: int
) -> None:
    expected = {f"{prefix}{member.name}": member.value + shift for member in domain}
    assert dict(wire.items()) == {f"{prefix}UNSPECIFIED": 0} | expected


@pytest.mark.parametrize(("domain", "wire", "prefix", "shift"), ENUMS)
def test_the_codecs_tables_hold_every_member_both_ways(
    domain: type[IntEnum], wire: Any, prefix: str, shift: int
) -> None:
    to_wire, from_wire = both_ways(domain, wire)
    assert to_wire == {member: member.value + shift for member in domain}
    assert from_wire == {member.value + shift: member for member in domain}
    assert all(type(member) is domain for member in from_wire.values())


def test_every_enum_of_the_protos_is_checked_here() -> None:
    in_protos = {name for file in FILES.values() for name in file.DESCRIPTOR.enum_types_by_name}
    assert in_protos == {domain.__name__ for domain, *_ in ENUMS}
