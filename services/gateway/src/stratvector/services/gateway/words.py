"""words: orders, fills, halts, fractions and times as people read them."""

import math
from decimal import Decimal

from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.halts import DRAWDOWN_HALT, Halt
from stratvector.trading.instruments import Instrument
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.timestamps import utc_text

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def side(lots: int) -> str:
    """buy, or sell."""
    return "buy" if lots > 0 else "sell"


def quantity_text(quantity: Decimal) -> str:
    """Without zeros at the end, with thousands separators."""
    text = f"{quantity:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_text(order: ApprovedOrder, instrument: Instrument) -> str:
    """Such as `buy 12 at about 101.50`."""
    quantity = quantity_text(abs(instrument.quantity(order.lots)))
    return f"{side(order.lots)} {quantity} at about {order.reference_price:,f}"


def fill_text(event: FillEvent, instrument: Instrument) -> str:
    """Such as `bought 12 at 101.55`, or what became of the order otherwise."""
    if event.kind is not FillKind.FILLED:
        word = event.kind.name.lower()
        return f"{word}: {event.text}" if event.text else word
    verb = "bought" if event.lots > 0 else "sold"
    quantity = quantity_text(abs(instrument.quantity(event.lots)))
    return f"{verb} {quantity} at {event.price:,f}"


def halt_text(one: Halt, begins: bool) -> str:
    """Such as `halted: drawdown -20.03 % reached the limit -20.00 %`."""
    what = "halt" if one.rule == DRAWDOWN_HALT else "reduce only"
    if not begins:
        return f"{what} ended after {one.closes:,} closes"
    return f"{'halted' if what == 'halt' else what}: {breach(one)}"


def breach(one: Halt) -> str:
    """By which rule, at which value, with which limit."""
    rule = "drawdown" if one.rule == DRAWDOWN_HALT else "daily loss"
    limit = "" if one.limit is None else f" reached the limit {percent(-one.limit)}"
    return f"{rule} {percent(one.value)}{limit}"


def percent(fraction: float, sign: bool = False) -> str:
    """A fraction as 12.34 %; not known is a dash."""
    if not math.isfinite(fraction):
        return NOTHING
    # Adding zero makes a negative zero a zero.
    rounded = round(100.0 * fraction, 2) + 0.0
    text = f"{rounded:+.2f}" if sign else f"{rounded:.2f}"
    return f"{text} %".replace("-", MINUS)


def minute(close_time: int) -> str:
    """A UTC time to the minute, as 2019-03-01 21:00."""
    return utc_text(close_time)[:16].replace("T", " ")
