"""The text of a ledger entry, byte for byte: a change would break the chain of every record."""

import math
from decimal import Decimal

from stratvector.contracts.codecs import decode_ledger_entry, encode_ledger_entry
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry, ModelAccount, same_entry
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
    ValueAtRisk,
)
from stratvector.trading.reasons import Outcome, SignalReason, WeightReason
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.used_bars import UsedBars

ENTRY = LedgerEntry(
    "main",
    7,
    (
        Signals(
            "main",
            "trend",
            "1.0",
            7,
            (SignalRow("Ä", math.nan, 0.1, Action.HOLD, SignalReason.NONE),),
            (math.inf, -0.0, 1e-7),
            "b",
            3,
        ),
    ),
    Decision("main", 7, 1e16, -math.inf, 1.0, False, True,
        (ApprovedOrder("o", "Ä", -3, (1, -4), Decimal("1.50"), 7, 9),),
        (Cancel("c", "Ä"),),
        (Cross("Ä", (2, -2), Decimal("1E+3")),),
        (SymbolDecision("Ä", Outcome.ORDERED, (0.5, 0.25), -3, (WeightReason.FRESH,)),),
        Cut({"z": "2", "a": "1"}, {"trend": "late"}, 4, 5, (1.0,), (UsedBars("a", "0"),)),
        ValueAtRisk(6, 1.0, 0.02, 0.03, 1000, 8),
        3, True, True, True,
    ),
    (FillEvent(FillKind.FILLED, "o", "Ä", 1, "x", -3, Decimal("1.5"), fill_time=6, known_time=7),),
    (("x", (1, -4)),),
    {"b": 1, "a": 2},
    Decimal("-0.10"),
    Decimal(1).scaleb(-40),
    (ModelAccount("trend", {}, Decimal(0), Decimal("0.00"), Decimal(1)),),
    {"Ä": Decimal("1.5")},
    accounts={"paper": Decimal("-0.10")},
)  # fmt: skip
TEXT = (
    '{"portfolio":"main","close_time":7,"signals":[{"portfolio":"main","model":"trend",'
    '"version":"1.0","close_time":7,"rows":[{"symbol":"Ä","weight":"nan","confidence":0.1,'
    '"action":"HOLD","reason":"NONE"}],"state":["inf",-0.0,1e-07],"bars_id":"b","chapter":3}],'
    '"decision":{"portfolio":"main","close_time":7,"equity":1e+16,'
    '"gross_exposure":"-inf","drawdown_factor":1.0,"halted":false,"reduce_only":true,'
    '"orders":[{"order_id":"o","symbol":"Ä","lots":-3,"parts":[1,-4],'
    '"reference_price":"1.50","decided_at":7,"expires_at":9}],'
    '"cancels":[{"order_id":"c","symbol":"Ä"}],'
    '"crosses":[{"symbol":"Ä","parts":[2,-2],"price":"1E+3"}],'
    '"symbols":[{"symbol":"Ä","outcome":"ORDERED","stages":[0.5,0.25],"target_lots":-3,'
    '"weight_reasons":["FRESH"]}],'
    '"cut":{"bars":{"a":"1","z":"2"},"signals":{"trend":"late"},"fills_sequence":4,'
    '"commands_sequence":5,"multipliers":[1.0],"late":[{"universe":"a","message_id":"0"}]},'
    '"value_at_risk":{"as_of":6,"horizon_days":1.0,"var_95":0.02,"cvar_95":0.03,'
    '"simulations":1000,"seed":8,"factor":1.0},'
    '"chapter":3,"ends_chapter":true,"stopping":true,"ended":true},'
    '"events":[{"kind":"FILLED","order_id":"o","symbol":"Ä","epoch":1,"execution_id":"x",'
    '"lots":-3,"price":"1.5","commission":"0","slippage":"0","fill_time":6,"known_time":7,'
    '"text":""}],"attributed":[["x",[1,-4]]],"positions":{"a":2,"b":1},"cash":"-0.10",'
    '"equity":"1E-40","models":[{"model":"trend","positions":{},"cash":"0",'
    '"commission":"0.00","equity":"1"}],"marks":{"Ä":"1.5"},"run":"","accounts":{"paper":"-0.10"}}'
).encode()


def test_an_entry_has_one_text_for_ever() -> None:
    assert encode_ledger_entry(ENTRY) == TEXT


def test_the_text_reads_back_to_the_last_bit_and_digit() -> None:
    read = decode_ledger_entry(TEXT)
    assert same_entry(read, ENTRY)
    assert encode_ledger_entry(read) == TEXT


def test_a_record_from_before_there_were_chapters_is_of_the_first_one() -> None:
    older = TEXT.replace(b',"late":[{"universe":"a","message_id":"0"}]', b"")
    older = older.replace(b',"chapter":3', b"").replace(
        b',"ends_chapter":true,"stopping":true,"ended":true', b""
    )
    read = decode_ledger_entry(older)
    assert (read.decision.chapter, read.decision.ends_chapter) == (1, False)
    assert [signals.chapter for signals in read.signals] == [1]
    assert read.decision.cut.late == ()


def test_a_text_of_before_runs_were_kept_reads_back_without_one() -> None:
    earlier = TEXT.replace(b',"run":""', b"")
    assert same_entry(decode_ledger_entry(earlier), decode_ledger_entry(TEXT))
