"""One small message of each noun, byte for byte: a change that breaks stored logs fails here."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from stratvector.contracts import codecs
from stratvector.contracts.v1 import (
    bars_pb2,
    chapters_pb2,
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
from stratvector.trading.reasons import Outcome, SignalReason, WeightReason
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.used_bars import UsedBars

MESSAGES: dict[str, type[Message]] = {
    "Chapter": chapters_pb2.Chapter,
    "ClosedBars": bars_pb2.ClosedBars,
    "Signals": signals_pb2.Signals,
    "Decision": orders_pb2.Decision,
    "FillsReport": fills_pb2.FillsReport,
    "Positions": positions_pb2.Positions,
    "Opened": chapters_pb2.Opened,
    "Owner": owner_pb2.Owner,
}
CLOSE = 1_700_000_000_000_000_000

BARS = ClosedBars(
    universe="crypto",
    timeframe="4H",
    close_time=CLOSE,
    symbols=("BTC", "ETH"),
    open=np.array([1.5, np.nan]),
    high=np.array([2.0, np.nan]),
    low=np.array([1.0, np.nan]),
    close=np.array([1.75, np.nan]),
    volume=np.array([10.0, np.nan]),
    late=True,
    open_time=CLOSE - 4 * 3_600 * 10**9,
    next_close=CLOSE + 4 * 3_600 * 10**9,
)
SIGNALS = Signals(
    portfolio="main",
    model="trend",
    version="1.0.0",
    close_time=CLOSE,
    rows=(SignalRow("BTC", -0.5, 1.0, Action.SELL, SignalReason.NONE),),
    state=(-0.0, 3.0),
    bars_id="b1",
    chapter=2,
)
DECISION = Decision(
    portfolio="main",
    close_time=CLOSE,
    equity=100000.0,
    gross_exposure=0.25,
    drawdown_factor=1.0,
    halted=True,
    reduce_only=True,
    orders=(ApprovedOrder("o1", "BTC", -3, (-2, -1), Decimal("1.50"), CLOSE, CLOSE + 1),),
    cancels=(Cancel("o0", "ETH"),),
    crosses=(Cross("ETH", (1, -1), Decimal("2.5")),),
    symbols=(SymbolDecision("BTC", Outcome.ORDERED, (0.5, 0.25), -7, (WeightReason.KEPT,)),),
    cut=Cut(
        {"us": "b2", "crypto": "absent"},
        {"trend": "late"},
        7,
        8,
        (1.0, 0.5),
        (UsedBars("crypto", "b1"),),
    ),
    value_at_risk=ValueAtRisk(CLOSE, 1.0, 0.5, 0.75, 10_000, 9, 0.25),
    chapter=2,
    ends_chapter=True,
    stopping=True,
    ended=True,
)
FILLS = FillsReport(
    portfolio="main",
    account="paper",
    number=9,
    events=(
        FillEvent(
            kind=FillKind.FILLED,
            order_id="o1",
            symbol="BTC",
            epoch=2,
            execution_id="e1",
            lots=-3,
            price=Decimal("1.50"),
            commission=Decimal("0.01"),
            slippage=Decimal("-0.001"),
            fill_time=CLOSE - 1,
            known_time=CLOSE,
            text="ü",
        ),
    ),
    closed=1,
    chapter=2,
    bars={"us": "b2", "crypto": "absent"},
    late=(UsedBars("crypto", "b1"),),
)
POSITIONS = Positions("main", CLOSE, 4, {"ETH": -2, "BTC": 3}, Decimal("-0.5"), Decimal("1E-7"))
CHAPTER_BARS = ChapterBars("crypto", "h1", 2, 3, ("ETH",))
CARRIED = Carried(
    close_time=CLOSE,
    cash=0.5,
    peak=2.0,
    day_start=3.0,
    last_equity=4.0,
    day=-1,
    halted=True,
    day_loss=True,
    next_closes={"crypto": CLOSE + 1},
    symbols=(CarriedSymbol("BTC", -2, 1.5, (CarriedCell("trend", -2, -0.5, 1),), 3),),
    models=(
        CarriedModel(
            "trend",
            0.25,
            Decimal("0.10"),
            Decimal("0.20"),
            CLOSE,
            (1.5,),
            {"BTC": -0.5},
            "crypto",
        ),
    ),
    accounts=(CarriedAccount("paper", 0.5, Decimal("-12345678901234567890.1"), 9),),
    orders=(
        CarriedOrder(
            DECISION.orders[0], OrderWord.ACCEPTED, -1, (-1, 0), Costs(0.5, 0.25, 0.125), True
        ),
    ),
    cancels=DECISION.cancels,
    sequences={"orders.replay.1.main": 7},
    dates=(CarriedDate((1.5, 2.5)),),
    value_at_risk=DECISION.value_at_risk,
    recorded_at=CLOSE,
)
GONE = (GoneUniverse("coins", 3),)
CHAPTER = Chapter("main", 2, "e1", "{}", (CHAPTER_BARS,), "replay.1", "c1", CARRIED, "ada", 7, GONE)
OPENED = Opened("main", 2, "c2", 8, CLOSE)
OWNER = codecs.Owner("host-1", 3, "4f27e6dc")

GOLDEN: dict[str, tuple[Any, str]] = {
    "chapter": (
        CHAPTER,
        "0a046d61696e10021a02653122027b7d2a150a0663727970746f1a02683120022803320345544832"
        "087265706c61792e313a02633142b4030900002a36fe9c971711000000000000e03f190000000000"
        "00004021000000000000084029000000000000104030013801400152110a0663727970746f110100"
        "2a36fe9c97175a280a03425443100319000000000000f83f22140a057472656e6410031900000000"
        "0000e0bf2001280662470a057472656e6411000000000000d03f1a04302e31302204302e32302900"
        "002a36fe9c97173208000000000000f83f3a0e0a0342544311000000000000e0bf42066372797074"
        "6f6a510a280a026f3112034254431805220203012a0508ac0210023100002a36fe9c97173901002a"
        "36fe9c971710031801220201002a1b09000000000000e03f11000000000000d03f19000000000000"
        "c03f300172090a026f3012034554488201180a146f72646572732e7265706c61792e312e6d61696e"
        "10078a01120a10000000000000f83f00000000000004409201320900002a36fe9c97171100000000"
        "0000f03f19000000000000e03f21000000000000e83f28904e300939000000000000d03f99010000"
        "2a36fe9c9717a2012b0a05706170657211000000000000e03f1a172d313233343536373839303132"
        "33343536373839302e3120094a036164615107000000000000005a090a05636f696e731003",
    ),
    "closed_bars": (
        BARS,
        "0a0663727970746f120234481900002a36fe9c9717220342544322034554482a10000000000000f8"
        "3f000000000000f87f32100000000000000040000000000000f87f3a10000000000000f03f000000"
        "000000f87f4210000000000000fc3f000000000000f87f4a100000000000002440000000000000f8"
        "7f50015900804773e58f97176100800cf916aa9717",
    ),
    "signals": (
        SIGNALS,
        "0a046d61696e12057472656e641a05312e302e302100002a36fe9c97172a1b0a0342544311000000"
        "000000e0bf19000000000000f03f200328013210000000000000008000000000000008403a026231"
        "4002",
    ),
    "decision": (
        DECISION,
        "0a046d61696e1900002a36fe9c97172100000000006af84029000000000000d03f31000000000000"
        "f03f380140014a280a026f3112034254431805220203012a0508ac0210023100002a36fe9c971739"
        "01002a36fe9c971752090a026f3012034554485a0f0a03455448120202011a0408321001621e0a03"
        "42544310021a10000000000000e03f000000000000d03f200d2a01026a4f0a100a0663727970746f"
        "1206616273656e740a080a02757312026232120d0a057472656e6412046c617465180720082a1000"
        "0000000000f03f000000000000e03f320c0a0663727970746f1202623172320900002a36fe9c9717"
        "11000000000000f03f19000000000000e03f21000000000000e83f28904e300939000000000000d0"
        "3f7802800101880101900101",
    ),
    "fills_report": (
        FILLS,
        "0a046d61696e120570617065721809223c080412026f311a0342544320022a02653130053a0508ac"
        "0210024204080210024a040801100351ffff2936fe9c97175900002a36fe9c97176202c3bc290100"
        "00000000000030023a100a0663727970746f1206616273656e743a080a02757312026232420c0a06"
        "63727970746f12026231",
    ),
    "positions": (
        POSITIONS,
        "0a046d61696e1100002a36fe9c9717180422070a03425443100622070a0345544810032a04080910"
        "01320408021007",
    ),
    "opened": (
        OPENED,
        "0a046d61696e10021a02633220082900002a36fe9c9717",
    ),
    "owner": (
        OWNER,
        "0a06686f73742d3110031a083466323765366463",
    ),
}


@pytest.mark.parametrize("noun", GOLDEN)
def test_a_noun_has_the_bytes_that_logs_hold(noun: str) -> None:
    content, golden = GOLDEN[noun]
    encode, decode = getattr(codecs, f"encode_{noun}"), getattr(codecs, f"decode_{noun}")
    assert encode(content).hex() == golden
    assert encode(decode(bytes.fromhex(golden))).hex() == golden


@pytest.mark.parametrize("noun", GOLDEN)
def test_the_codec_writes_every_field_of_the_proto(noun: str) -> None:
    content, golden = GOLDEN[noun]
    wire = MESSAGES[type(content).__name__].FromString(bytes.fromhex(golden))
    assert unset_fields(wire) == []


def unset_fields(wire: Message) -> list[str]:
    """Names of the fields, at any depth, that the message does not hold."""
    held = {field.name: value for field, value in wire.ListFields()}
    unset = [field.name for field in wire.DESCRIPTOR.fields if field.name not in held]
    for value in held.values():
        for inner in value if isinstance(value, Sequence) else [value]:
            if isinstance(inner, Message):
                unset += unset_fields(inner)
    return unset
