"""Money: exact on the wire, and refused when it is not a finite number of 64 bits."""

import decimal
import pickle
from decimal import Decimal

import pytest

from stratvector.contracts.codecs import BadMessage, decode_positions, encode_positions
from stratvector.trading.ledger import Positions


def travelled(cash: Decimal) -> str:
    """What a reader sees, as text: equal decimals of another scale differ."""
    content = Positions("main", 1, 1, {}, cash, Decimal(0))
    return str(decode_positions(encode_positions(content)).cash)


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
        "9.223372036854775807E-4294967277",
        "1E-4294967295",
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
    with pytest.raises(BadMessage) as refusal:
        travelled(Decimal(text))
    assert str(refusal.value) == (
        f"bad positions message: cash is {Decimal(text)}; "
        "money must be finite, with digits that fit in 64 bits"
    )


def test_a_float_is_not_money() -> None:
    with pytest.raises(BadMessage, match=r"cash is 1\.5; money must be a Decimal"):
        travelled(1.5)  # type: ignore[arg-type]


def test_the_callers_decimal_context_changes_nothing() -> None:
    with decimal.localcontext() as context:
        context.prec, context.Emin, context.Emax = 2, -2, 2
        assert travelled(Decimal("123456.789")) == "123456.789"


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(BadMessage("fills", "closed is missing")))
    assert (error.noun, error.rule) == ("fills", "closed is missing")
