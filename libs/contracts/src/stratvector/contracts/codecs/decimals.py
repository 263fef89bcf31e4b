"""Money on the wire: the digits as one signed 64-bit number, and how many stand behind the point.

The value and its spelling survive (1.50 stays 1.50), with two exceptions that the wire has no
spelling for: 1E+3 travels as 1000, and negative zero as zero.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation

from stratvector.contracts.v1 import decimal_pb2

# The caller's context could round; 19 digits hold every signed 64-bit number.
_EXACT = Context(prec=19, Emin=MIN_EMIN, Emax=MAX_EMAX)
_DIGITS_MAX = 19
# Nobody counts finer, and a few bytes could otherwise ask for gigabytes of zeros when written out.
SCALE_MAX = 40
_SIGNED_64, _UNSIGNED_32 = range(-(2**63), 2**63), range(2**32)


def decimal_to_wire(field: str, value: Decimal) -> dict[str, int]:
    """What a Decimal field is made of. Raises TypeError for what is no Decimal, and ValueError for
    NaN, infinity, digits beyond 64 bits and too many decimals.
    """
    if not isinstance(value, Decimal):
        raise TypeError(f"{field} is {value!r}; money must be a Decimal")
    try:
        coefficient, scale = _digits(value)
    except ValueError:
        raise _unfit(field, value) from None
    if coefficient not in _SIGNED_64 or scale not in _UNSIGNED_32:
        raise _unfit(field, value)
    _refuse_fine(field, scale)
    return {"coefficient": coefficient, "scale": scale}


def decimal_from_wire(field: str, wire: decimal_pb2.Decimal) -> Decimal:
    """The value of a Decimal field. Raises ValueError when it is too fine."""
    scale = wire.scale
    _refuse_fine(field, scale)
    return _EXACT.scaleb(wire.coefficient, -scale)


def decimal_to_text(value: Decimal) -> str:
    """The digits of a sum that may have more than the wire's Decimal holds."""
    return str(value)


def decimal_from_text(field: str, text: str) -> Decimal:
    """The sum in a text. Raises ValueError for what is no finite number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{field} is {text!r}; it must be a decimal number") from None
    if not value.is_finite():
        raise ValueError(f"{field} is {text}; money must be finite")
    return value


def _unfit(field: str, value: Decimal) -> ValueError:
    return ValueError(f"{field} is {value}; money must be finite, with digits that fit in 64 bits")


def _refuse_fine(field: str, scale: int) -> None:
    if scale > SCALE_MAX:
        raise ValueError(f"{field} has {scale} decimals; at most {SCALE_MAX} are allowed")


def _digits(value: Decimal) -> tuple[int, int]:
    """Coefficient and scale; most values are spelled without an exponent, and that way is fast."""
    text = str(value)
    if "E" in text:
        return _digits_of_exponent_form(value)
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


def _digits_of_exponent_form(value: Decimal) -> tuple[int, int]:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # NaN and infinity are not spelled with an E
    if len(digits) > _DIGITS_MAX or (exponent > 0 and value.adjusted() >= _DIGITS_MAX and value):
        raise ValueError
    if exponent > 0:
        return int(value), 0
    return int(Decimal((sign, digits, 0))), -exponent
