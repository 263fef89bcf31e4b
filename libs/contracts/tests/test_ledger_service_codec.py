"""The ledger's answers come back as they went out, in the order of their entries; cash and equity
to 1e-8.
"""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.contracts.codecs import ledger_proofs as proofs
from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.trading.explanation import Explanation, ModelWish, StageStep
from stratvector.trading.fills import FillKind
from stratvector.trading.ledger import rounded_money
from stratvector.trading.ledger_answers import (
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelEquity,
    ModelResult,
    OrderRecord,
    PositionRecord,
    RejectionRecord,
    Rejections,
)
from stratvector.trading.ledger_verification import Finding, Verification, VerifiedRecord
from stratvector.trading.reasons import Outcome, SignalReason, Stage, WeightReason
from stratvector.trading.signals import Action

signed = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63)
texts = st.text(max_size=12)
doubles = st.floats(allow_nan=False)
money = st.decimals(-(10**9), 10**9, places=8)
exact = st.builds(lambda digits, scale: Decimal(f"{digits}E-{scale}"), signed, st.integers(0, 9))
parts = st.dictionaries(texts, signed, max_size=3)
maybe_time = st.none() | signed
maybe_money = st.none() | money
shares = st.builds(ModelEquity, texts, money, money, money)

orders = st.builds(
    OrderRecord, signed, texts, texts, signed, parts, exact, signed, signed,
    st.none() | st.sampled_from(FillKind), texts,
)  # fmt: skip
fills = st.builds(
    FillRecord, signed, texts, texts, texts, signed, parts, exact, exact, exact, signed, signed
)
wishes = st.builds(
    ModelWish, texts, texts, doubles, doubles, st.sampled_from(Action),
    st.sampled_from(SignalReason), st.sampled_from(WeightReason), doubles, signed, texts,
)  # fmt: skip
steps = st.builds(StageStep, st.sampled_from(Stage), doubles, st.booleans(), texts)
rejections = st.builds(RejectionRecord, st.sampled_from(Outcome), texts, counts, signed, signed)


def some(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=2).map(tuple)


MESSAGES: list[tuple[type[Any], type[Any]]] = [
    (LedgerStatus, pb.LedgerStatus),
    (OrderRecord, pb.OrderRecord),
    (FillRecord, pb.FillRecord),
    (EquityRecord, pb.EquityRecord),
    (ModelEquity, pb.ModelEquity),
    (HeldPositions, pb.QueryPositionsResponse),
    (PositionRecord, pb.PositionRecord),
    (ModelResult, pb.ModelResult),
    (Explanation, pb.Explanation),
    (ModelWish, proofs_pb.ModelWish),
    (StageStep, proofs_pb.StageStep),
    (RejectionRecord, proofs_pb.RejectionRecord),
    (Verification, proofs_pb.VerifyResponse),
    (VerifiedRecord, proofs_pb.VerifiedRecord),
    (Finding, proofs_pb.VerificationFinding),
]


@pytest.mark.parametrize(("noun", "message"), MESSAGES)
def test_an_answer_has_the_fields_of_its_noun_in_their_order(
    noun: type[Any], message: type[Any]
) -> None:
    on_the_wire = [field.name.removesuffix("_ns") for field in message.DESCRIPTOR.fields]
    assert on_the_wire == [field.name for field in dataclasses.fields(noun)]


@given(
    st.builds(
        LedgerStatus, texts, counts, maybe_time, maybe_time, maybe_money, maybe_money, counts,
        counts, counts,
    )
)  # fmt: skip
def test_a_status_comes_back(status: LedgerStatus) -> None:
    assert codec.status_of(_sent(codec.status_message(status))) == status


@given(orders)
def test_an_order_comes_back(order: OrderRecord) -> None:
    assert codec.order_of(_sent(codec.order_message(order))) == order


@given(fills)
def test_a_fill_comes_back(fill: FillRecord) -> None:
    assert codec.fill_of(_sent(codec.fill_message(fill))) == fill


@given(
    st.builds(
        EquityRecord, signed, money, money, doubles, doubles, doubles, st.booleans(),
        st.booleans(), st.lists(shares, max_size=3).map(tuple),
    )
)  # fmt: skip
def test_an_account_comes_back(record: EquityRecord) -> None:
    assert codec.equity_of(_sent(codec.equity_message(record))) == record


@given(
    st.builds(
        HeldPositions,
        maybe_time,
        st.lists(st.builds(PositionRecord, texts, signed, parts), max_size=3).map(tuple),
    )
)
def test_holdings_come_back(held: HeldPositions) -> None:
    assert codec.positions_of(_sent(codec.positions_message(held))) == held


@given(st.builds(ModelResult, texts, money, money, counts))
def test_a_result_comes_back(result: ModelResult) -> None:
    assert codec.result_of(_sent(codec.result_message(result))) == result


@given(
    st.builds(
        Explanation, texts, signed, texts, st.sampled_from(Outcome), texts, st.none() | exact,
        texts, doubles, exact, signed, signed, some(wishes), some(steps), st.none() | orders,
        some(fills),
    )
)  # fmt: skip
def test_an_explanation_comes_back(explanation: Explanation) -> None:
    assert proofs.explanation_of(_sent(proofs.explanation_message(explanation))) == explanation


@given(st.builds(Rejections, some(rejections), counts))
def test_rejections_come_back(found: Rejections) -> None:
    assert proofs.rejections_of(_sent(proofs.rejections_message(found))) == found


@given(
    st.builds(
        Verification,
        some(st.builds(VerifiedRecord, texts, counts, maybe_time, texts)),
        counts,
        st.booleans(),
        some(st.builds(Finding, texts, texts, maybe_time, texts)),
        counts,
    )
)
def test_a_verification_comes_back(verification: Verification) -> None:
    back = proofs.verification_of(_sent(proofs.verification_message(verification)))
    assert back == verification


def test_lots_per_model_and_sizes_of_lots_keep_the_configurations_order() -> None:
    record = PositionRecord("BTC", 3, {"trend": 1, "carry": 2})
    wire = codec.positions_message(HeldPositions(None, (record,)))
    assert list(codec.positions_of(_sent(wire)).positions[0].parts) == ["trend", "carry"]
    sizes = {"SPY": Decimal(1), "BTC": Decimal("0.001")}
    status = LedgerStatus("main", 0, None, None, None, None, 0, 0, 0, lot_sizes=sizes)
    assert list(codec.status_of(_sent(codec.status_message(status))).lot_sizes) == ["SPY", "BTC"]


def test_a_model_that_is_named_twice_is_refused() -> None:
    wire = pb.PositionRecord(parts=[pb.ModelLots(model="trend")] * 2)
    with pytest.raises(ValueError, match="parts has 2 entries for 1 names"):
        codec.positions_of(pb.QueryPositionsResponse(positions=[wire]))


@pytest.mark.parametrize(
    ("given_money", "sent"),
    [
        ("116070.668623954101056", "116070.66862395"),
        ("0.000000005", "0.00000000"),
        ("0.000000015", "0.00000002"),
        ("-1", "-1.00000000"),
    ],
)
def test_cash_and_equity_travel_half_even_to_eight_decimals(given_money: str, sent: str) -> None:
    assert f"{rounded_money(Decimal(given_money)):f}" == sent


def _sent(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())
