"""What breaks a contract is refused in one sentence; what a newer writer added is read past."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from stratvector.contracts import codecs
from stratvector.contracts.codecs import BadMessage
from stratvector.contracts.v1 import (
    bars_pb2,
    decimal_pb2,
    fills_pb2,
    orders_pb2,
    owner_pb2,
    positions_pb2,
    signals_pb2,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import Chapter, ChapterBars
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.ledger import Positions
from stratvector.trading.orders import Decision
from stratvector.trading.signals import Signals

NOTHING = np.array([], dtype=np.float64)
BARS = ClosedBars("crypto", "4H", 1, (), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
SIGNALS = Signals("main", "trend", "1.0.0", 1, (), (), "b1")
DECISION = Decision("main", 1, 1.0, 0.0, 1.0, False, False, (), (), (), ())
FILLS = FillsReport("main", "paper", 1, ())
POSITIONS = Positions("main", 1, 1, {}, Decimal(1), Decimal(1))
CHAPTER = Chapter("main", 1, "e1", "{}", (ChapterBars("crypto", "h1", 2),), "replay.1")
OWNER = codecs.Owner("host-1", 1)

CODECS: dict[str, tuple[Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "chapters": (CHAPTER, codecs.encode_chapter, codecs.decode_chapter),
    "bars": (BARS, codecs.encode_closed_bars, codecs.decode_closed_bars),
    "signals": (SIGNALS, codecs.encode_signals, codecs.decode_signals),
    "orders": (DECISION, codecs.encode_decision, codecs.decode_decision),
    "fills": (FILLS, codecs.encode_fills_report, codecs.decode_fills_report),
    "positions": (POSITIONS, codecs.encode_positions, codecs.decode_positions),
    "owner": (OWNER, codecs.encode_owner, codecs.decode_owner),
}
NAMES = [
    ("chapters", "portfolio"),
    ("chapters", "engine_hash"),
    ("chapters", "document"),
    ("bars", "universe"),
    ("bars", "timeframe"),
    ("signals", "portfolio"),
    ("signals", "model"),
    ("orders", "portfolio"),
    ("fills", "portfolio"),
    ("fills", "account"),
    ("positions", "portfolio"),
    ("owner", "instance"),
]
ONE = decimal_pb2.Decimal(coefficient=1)


@pytest.mark.parametrize("noun", CODECS)
def test_a_field_of_a_newer_version_is_read_past(noun: str) -> None:
    content, encode, decode = CODECS[noun]
    payload = encode(content)
    added = b"\xf2\x3f\x05newer"  # field 1022, five bytes
    assert encode(decode(payload + added)) == payload


@pytest.mark.parametrize("noun", CODECS)
def test_bytes_that_are_no_message_are_refused(noun: str) -> None:
    _, _, decode = CODECS[noun]
    with pytest.raises(BadMessage, match=f"bad {noun} message: 3 bytes are not a stratvector") as e:
        decode(b"\xff\xff\xff")
    assert e.value.noun == noun


@pytest.mark.parametrize("noun", CODECS)
@given(places=st.tuples(st.integers(0, 40), st.integers(0, 40)), junk=st.binary(max_size=20))
def test_damaged_bytes_give_a_noun_or_the_one_error(
    noun: str, places: tuple[int, int], junk: bytes
) -> None:
    content, encode, decode = CODECS[noun]
    whole = encode(content)
    try:
        content = decode(whole[: places[0]] + junk + whole[places[1] :])
    except BadMessage:
        return
    assert encode(decode(encode(content))) == encode(content)


@pytest.mark.parametrize("noun", CODECS)
def test_an_empty_payload_is_refused(noun: str) -> None:
    _, _, decode = CODECS[noun]
    with pytest.raises(BadMessage, match=f"bad {noun} message: [a-z]+ is missing"):
        decode(b"")


@pytest.mark.parametrize(("noun", "field"), NAMES)
def test_a_noun_without_its_name_does_not_travel(noun: str, field: str) -> None:
    content, encode, _ = CODECS[noun]
    with pytest.raises(BadMessage, match=f"bad {noun} message: {field} is missing"):
        encode(replace(content, **{field: ""}))


REFUSED_PAYLOADS: dict[str, tuple[str, Message, str]] = {
    "a column too short": (
        "bars",
        bars_pb2.ClosedBars(universe="us", timeframe="1D", symbols=["SPY"]),
        "open",
    ),
    "a symbol twice in bars": (
        "bars",
        bars_pb2.ClosedBars(universe="us", timeframe="1D", symbols=["SPY", "SPY"]),
        "each symbol must be named once",
    ),
    "an action that this version does not know": (
        "signals",
        signals_pb2.Signals(
            portfolio="main",
            model="trend",
            rows=[signals_pb2.SignalRow(action=9, reason=1)],  # type: ignore[arg-type]
        ),
        "9 names no Action",
    ),
    "no reason": (
        "signals",
        signals_pb2.Signals(
            portfolio="main",
            model="trend",
            rows=[signals_pb2.SignalRow(action=signals_pb2.ACTION_BUY)],
        ),
        "0 names no SignalReason",
    ),
    "no cut": (
        "orders",
        orders_pb2.Decision(portfolio="main"),
        "cut is missing",
    ),
    "no price": (
        "orders",
        orders_pb2.Decision(
            portfolio="main",
            cut=orders_pb2.Cut(),
            orders=[orders_pb2.ApprovedOrder(order_id="o1")],
        ),
        "reference_price is missing",
    ),
    "a universe twice in the cut": (
        "orders",
        orders_pb2.Decision(
            portfolio="main",
            cut=orders_pb2.Cut(bars=[orders_pb2.UsedBars(universe="us")] * 2),
        ),
        "cut.bars has 2 entries for 1 names",
    ),
    "no commission": (
        "fills",
        fills_pb2.FillsReport(
            portfolio="main",
            account="paper",
            events=[fills_pb2.FillEvent(kind=fills_pb2.FILL_KIND_FILLED, price=ONE)],
        ),
        "commission is missing",
    ),
    "a symbol twice in positions": (
        "positions",
        positions_pb2.Positions(
            portfolio="main",
            positions=[positions_pb2.Position(symbol="SPY")] * 2,
            cash=ONE,
            equity=ONE,
        ),
        "positions has 2 entries for 1 names",
    ),
    "no cash": (
        "positions",
        positions_pb2.Positions(portfolio="main", equity=ONE),
        "cash is missing",
    ),
    "no instance": ("owner", owner_pb2.Owner(epoch=1), "instance is missing"),
}


@pytest.mark.parametrize("case", REFUSED_PAYLOADS)
def test_a_payload_that_breaks_a_rule_is_refused_with_that_rule(case: str) -> None:
    noun, wire, rule = REFUSED_PAYLOADS[case]
    _, _, decode = CODECS[noun]
    with pytest.raises(BadMessage, match=rule) as refusal:
        decode(wire.SerializeToString())
    assert str(refusal.value).startswith(f"bad {noun} message: ")


@pytest.mark.parametrize(
    ("noun", "change", "rule"),
    [
        ("chapters", {"number": 0}, "number is 0; chapters are counted from 1"),
        ("chapters", {"bars": (ChapterBars("us", "", 1),)}, "hash is missing"),
        ("chapters", {"bars": (ChapterBars("us", "h", 1),) * 2}, "2 entries for 1 names"),
        ("chapters", {"bars": (ChapterBars("us", "h", -1),)}, "out of range: -1"),
        ("owner", {"epoch": -1}, "out of range: -1"),
        ("owner", {"epoch": 2**64}, "out of range: 18446744073709551616"),
        ("owner", {"instance": "\ud800"}, "surrogates not allowed"),
        ("fills", {"closed": 2**63}, "out of range: 9223372036854775808"),
        ("fills", {"events": (FillEvent(9, "o1", "BTC"),)}, "9 names no FillKind"),  # type: ignore[arg-type]
        ("positions", {"positions": {"BTC": 2**63}}, "out of range: 9223372036854775808"),
        ("positions", {"cash": Decimal("NaN")}, "cash is NaN; money must be finite"),
        ("signals", {"state": (None,)}, "None"),
    ],
)
def test_a_value_that_does_not_fit_does_not_travel(
    noun: str, change: dict[str, Any], rule: str
) -> None:
    content, encode, _ = CODECS[noun]
    with pytest.raises(BadMessage, match=rule):
        encode(replace(content, **change))


def test_an_event_that_is_no_execution_carries_zero_money_and_comes_back() -> None:
    report = replace(FILLS, events=(FillEvent(FillKind.SENDING, "o1", "BTC", epoch=2),), closed=1)
    assert codecs.decode_fills_report(codecs.encode_fills_report(report)) == report
