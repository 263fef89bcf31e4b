"""Cash and profits of a run in whole numbers: what the ledger's decimals give, as arrays.

A price is a whole number of its grid's steps and a quantity one of lots, so every amount is a whole
number of one common unit, 10^-decimals. Such numbers may have thirty digits: they are kept as two
int64 limbs in base 2^52 and become the nearest float64 at the end.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from stratvector.trading.engine.allocation import apportion
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.events import CLOSE, COMMISSION, LOTS, SYMBOL
from stratvector.trading.engine.state import Flags, Floats, Indices, Integers

BASE_BITS, HALF_BITS = 52, 26
LIMB_MASK, HALF_MASK = (1 << BASE_BITS) - 1, (1 << HALF_BITS) - 1
FACTOR_MAX = 1 << BASE_BITS
DECIMALS_MAX = 22  # 10^22 is the largest power of ten that a float64 holds
SPLITTER = 134217729.0  # 2^27 + 1
FLOAT_BASE = 4503599627370496.0  # 2^52
A_LITTLE_MORE = 1.000001  # than what the correction may be wrong by
HIGH, LOW = 0, 1


class Scale(NamedTuple):
    """How amounts are counted. units : float64[S], steps in one unit of price. factors : int64[S,
    2], what steps and lots are multiplied by to count the common unit. fee : that of millionths.
    """

    units: Floats
    factors: Integers
    fee: int


class Trades(NamedTuple):
    """A run's executions and crosses. fills, crosses, parts : as in `RunEvents`. symbols :
    int64[N], of each fill. steps, cross_steps : int64[N], prices in steps.
    """

    fills: Integers
    symbols: Integers
    steps: Integers
    parts: Integers
    crosses: Integers
    cross_steps: Integers
    cross_parts: Integers


class WholeBooks(NamedTuple):
    """cash : int64[M + 1, 2], each model's and the account's limbs. lots : int64[M, S]. marks :
    int64[S], in steps. paid : int64[M], commissions in millionths. shares, fees : scratch.
    """

    cash: Integers
    lots: Integers
    marks: Integers
    paid: Integers
    shares: Integers
    fees: Integers


def new_books(models: int, symbols: int, cash: int) -> WholeBooks:
    """Flat, with so much cash in the common unit."""
    books = WholeBooks(
        np.zeros((models + 1, 2), np.int64),
        np.zeros((models, symbols), np.int64),
        np.zeros(symbols, np.int64),
        *(np.zeros(models, np.int64) for _ in range(3)),
    )
    books.cash[-1] = limbs_of(cash)
    return books


@engine_jit
def add_product(a: int, b: int, sign: int, totals: Integers, row: int) -> None:
    """totals[row] += sign x a x b, for 0 <= a, b < 2^52. totals : int64[N, 2], HIGH, LOW limbs."""
    a1, a0 = a >> HALF_BITS, a & HALF_MASK
    b1, b0 = b >> HALF_BITS, b & HALF_MASK
    middle = a1 * b0 + a0 * b1  # below 2^53, as the low part is
    low = a0 * b0 + ((middle & HALF_MASK) << HALF_BITS)
    high = a1 * b1 + (middle >> HALF_BITS)
    low = totals[row, LOW] + sign * low
    totals[row, HIGH] += sign * high + (low >> BASE_BITS)
    totals[row, LOW] = low & LIMB_MASK


@engine_jit
def pay(
    lots: int, steps: int, s: int, scales: Integers, sign: int, totals: Integers, row: int
) -> None:
    """totals[row] += sign x what signed lots are worth at a price of so many steps.

    scales : int64[S, 2], what steps and lots are multiplied by to count the common unit.
    """
    size = abs(lots) * scales[s, 1]
    add_product(size, steps * scales[s, 0], sign if lots > 0 else -sign, totals, row)


@engine_jit
def pay_fill(f: int, events: Trades, scale: Scale, books: WholeBooks, models: Indices) -> None:
    """One execution: the account's cash (last row of cash), each model's, and its lots."""
    account, s = len(books.cash) - 1, events.symbols[f]
    steps, fee = events.steps[f], events.fills[f, COMMISSION]
    pay(events.fills[f, LOTS], steps, s, scale.factors, -1, books.cash, account)
    add_product(fee, scale.fee, -1, books.cash, account)
    for m in range(len(models)):
        books.shares[m] = events.parts[f, m]
    apportion(fee, books.shares, books.fees, models)
    for m in range(len(models)):
        pay(events.parts[f, m], steps, s, scale.factors, -1, books.cash, m)
        add_product(books.fees[m], scale.fee, -1, books.cash, m)
        books.paid[m] += books.fees[m]
        books.lots[m, s] += events.parts[f, m]


@engine_jit
def pay_cross(c: int, events: Trades, scale: Scale, books: WholeBooks, models: Indices) -> None:
    """Lots that change hands between models."""
    s, steps = events.crosses[c, SYMBOL], events.cross_steps[c]
    for m in range(len(models)):
        pay(events.cross_parts[c, m], steps, s, scale.factors, -1, books.cash, m)
        books.lots[m, s] += events.cross_parts[c, m]


@engine_jit
def write_worth(t: int, scale: Scale, books: WholeBooks, limbs: Integers, models: Indices) -> None:
    """What each model is worth at the marks of a close, and the account's cash."""
    account = len(books.cash) - 1
    first = t * (account + 1)
    limbs[first + account, HIGH] = books.cash[account, HIGH]
    limbs[first + account, LOW] = books.cash[account, LOW]
    for m in range(len(models)):
        limbs[first + m, HIGH] = books.cash[m, HIGH]
        limbs[first + m, LOW] = books.cash[m, LOW]
        for s in range(len(books.marks)):
            if books.lots[m, s] != 0:
                pay(books.lots[m, s], books.marks[s], s, scale.factors, 1, limbs, first + m)


@engine_jit
def fold_money(
    close: Floats,
    events: Trades,
    scale: Scale,
    books: WholeBooks,
    limbs: Integers,
    models: Indices,
) -> None:
    """Each model's worth and the account's cash after each close.

    close : float64[T, S] on the price grids, NaN where there is none. books : as they are before
    the first close. limbs : int64[T x (M + 1), 2], out, of a close the account's last.
    """
    f, c = 0, 0
    for t in range(len(close)):
        while f < len(events.fills) and events.fills[f, CLOSE] == t:
            pay_fill(f, events, scale, books, models)
            f += 1
        while c < len(events.crosses) and events.crosses[c, CLOSE] == t:
            pay_cross(c, events, scale, books, models)
            c += 1
        for s in range(len(books.marks)):
            if close[t, s] > 0.0:
                books.marks[s] = int(np.floor(close[t, s] * scale.units[s] + 0.5))
        write_worth(t, scale, books, limbs, models)


@engine_jit
def lost_in_product(a: float, b: float, product: float) -> float:
    """What rounding took from a product of two numbers. Source: Dekker (1971), A floating-point
    technique for extending the available precision, Numerische Mathematik 18.
    """
    a_high = SPLITTER * a - (SPLITTER * a - a)
    b_high = SPLITTER * b - (SPLITTER * b - b)
    a_low, b_low = a - a_high, b - b_high
    lost: float = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return lost


@engine_jit
def round_limbs(limbs: Integers, divisor: float, values: Floats, doubtful: Flags) -> None:
    """values = limbs / divisor, a power of ten, to the nearest float64.

    doubtful : where the correction, which is not exact itself, lies beside the middle of two
    float64, so that exact arithmetic has to decide.
    """
    for n in range(len(limbs)):
        high, low = limbs[n, HIGH] * FLOAT_BASE, limbs[n, LOW] * 1.0
        whole = high + low
        rest = low - (whole - high)
        quotient = whole / divisor
        product = quotient * divisor
        left = ((whole - product) - lost_in_product(quotient, divisor, product)) + rest
        correction = left / divisor
        value = quotient + correction
        rest = correction - (value - quotient)  # at most half a unit in the last place
        doubtful[n] = value + rest * A_LITTLE_MORE != value
        values[n] = value


@dataclass(frozen=True)
class Amounts:
    """Amounts as limbs (int64[..., 2]) of 10^-decimals."""

    limbs: Integers
    decimals: int

    def floats(self) -> Floats:
        """The nearest float64 to each, as float(Decimal) gives it."""
        shape = self.limbs.shape[:-1]
        values, doubtful = np.zeros(shape), np.zeros(shape, np.bool_)
        flat = self.limbs.reshape(-1, 2)
        round_limbs(flat, 10.0**self.decimals, values.reshape(-1), doubtful.reshape(-1))
        for place in zip(*np.nonzero(doubtful), strict=True):
            values[place] = self.whole(place) / 10**self.decimals
        return values

    def whole(self, place: tuple[int, ...]) -> int:
        """One amount in units."""
        high, low = self.limbs[place].tolist()
        return int((high << BASE_BITS) + low)

    def exact(self, place: tuple[int, ...]) -> Decimal:
        """One amount."""
        return Decimal(self.whole(place)).scaleb(-self.decimals)


def limbs_of(whole: int) -> tuple[int, int]:
    """A whole number as its two limbs."""
    return whole >> BASE_BITS, whole & LIMB_MASK
