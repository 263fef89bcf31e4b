"""Money: exact on the wire, and refused when it is not a finite number of 64 bits."""

import decimal
import pickle
from decimal import Decimal

import pytest

from stratvector.contracts.codecs import BadMessage, decode_positions, encode_positions
from stratvector.contracts.codecs.decimals import decimal_from_wire, decimal_to_wire
from stratvector.contracts.v1 import decimal_pb2, positions_pb2
from stratvector.trading.ledger import Positions


def travelled(cash: Decimal) -> str:
    """What a reader sees, as text: equal decimals of another scale differ."""
    sent = decimal_pb2.Decimal(**decimal_to_wire("cash", cash))
    received = decimal_pb2.Decimal.FromString(sent.SerializeToString())
    return str(decimal_from_wire("cash", received))


def refusal_of(cash: Decimal) -> str:
    """How a noun with that money is refused."""
    with pytest.raises(BadMessage) as refusal:
        encode_positions(Positions("main", 1, 1, {}, cash, Decimal(0)))
    return str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0.00",
        "1.50",
        "-1.50",
        "100000.00",
        "0.000001",
        "1E-7",
        "0E-9",
        "-9.223372036854775808",
        "9223372036854775807",
        "9.223372036854775807E-22",
        "1E-40",
    ],
)
def test_a_decimal_keeps_its_value_and_scale(text: str) -> None:
    assert travelled(Decimal(text)) == text


def test_a_decimal_with_an_exponent_above_zero_travels_written_out() -> None:
    assert travelled(Decimal("1E+5")) == "100000"
    assert travelled(Decimal("-9E+18")) == "-9000000000000000000"
    assert travelled(Decimal("0E+999")) == "0"


def test_negative_zero_travels_as_zero() -> None:
    assert travelled(Decimal("-0.00")) == "0.00"


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "sNaN",
        "-NaN123",
        "Infinity",
        "-Infinity",
        "9223372036854775808",
        "-9.223372036854775809",
        "12345678901234567890.12",
        "1E+19",
        "1E+999999999",
        "1E-4294967296",
        "1.2345678901234567890E-9",
    ],
)
def test_a_decimal_that_does_not_fit_is_refused_in_one_sentence(text: str) -> None:
    assert refusal_of(Decimal(text)) == (
        f"bad positions message: cash is {Decimal(text)}; "
        "money must be finite, with digits that fit in 64 bits"
    )


@pytest.mark.parametrize("scale", [41, 2**32 - 1])
def test_money_that_would_be_written_with_gigabytes_of_zeros_is_refused(scale: int) -> None:
    assert refusal_of(Decimal(f"1E-{scale}")).endswith(
        f"cash has {scale} decimals; at most 40 are allowed"
    )
    wire = positions_pb2.Positions(
        portfolio="main", cash=decimal_pb2.Decimal(coefficient=1, scale=scale)
    )
    with pytest.raises(BadMessage, match="decimals; at most 40 are allowed"):
        decode_positions(wire.SerializeToString())


def test_a_float_is_not_money() -> None:
    with pytest.raises(BadMessage, match=r"cash is 1\.5; money must be a Decimal"):
        encode_positions(Positions("main", 1, 1, {}, 1.5, Decimal(0)))  # type: ignore[arg-type]


def test_the_callers_decimal_context_changes_nothing() -> None:
    with decimal.localcontext() as context:
        context.prec, context.Emin, context.Emax = 2, -2, 2
        assert travelled(Decimal("123456.789")) == "123456.789"


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(BadMessage("fills", "closed is missing")))
    assert (error.noun, error.rule) == ("fills", "closed is missing")
