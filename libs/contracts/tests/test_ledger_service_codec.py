"""The ledger's answers come back as they went out; cash and equity to 1e-8."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.v1 import ledger_service_pb2 as pb
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
)

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

MESSAGES: list[tuple[type[Any], type[Any]]] = [
    (LedgerStatus, pb.LedgerStatus),
    (OrderRecord, pb.OrderRecord),
    (FillRecord, pb.FillRecord),
    (EquityRecord, pb.EquityRecord),
    (ModelEquity, pb.ModelEquity),
    (HeldPositions, pb.QueryPositionsResponse),
    (PositionRecord, pb.PositionRecord),
    (ModelResult, pb.ModelResult),
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


@given(
    st.builds(
        OrderRecord, signed, texts, texts, signed, parts, exact, signed, signed,
        st.none() | st.sampled_from(FillKind), texts,
    )
)  # fmt: skip
def test_an_order_comes_back(order: OrderRecord) -> None:
    assert codec.order_of(_sent(codec.order_message(order))) == order


@given(
    st.builds(
        FillRecord, signed, texts, texts, texts, signed, parts, exact, exact, exact, signed, signed
    )
)
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
