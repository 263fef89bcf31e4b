"""Cash and profits of a run in whole numbers: what the ledger's decimals give, as arrays.

A price is a whole number of its grid's steps and a quantity one of lots, so every amount is a whole
number of one common unit, 10^-decimals. Such numbers may have thirty digits: they are kept as two
int64 limbs in base 2^52 and become the nearest float64 at the end.
"""

from dataclasses import dataclass
from decimal import Decimal

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
def pay_fill(
    f: int,
    fills: Integers,
    steps: Integers,
    parts: Integers,
    fee_scale: int,
    s: int,
    scales: Integers,
    books: Integers,
    lots: Integers,
    shares: Integers,
    fees: Integers,
    paid: Integers,
    models: Indices,
) -> None:
    """One execution: the account's cash (last row of books), each model's, and its lots.

    shares, fees : int64[M], scratch. paid : int64[M], commissions so far, in millionths.
    """
    account, fee = len(books) - 1, fills[f, COMMISSION]
    pay(fills[f, LOTS], steps[f], s, scales, -1, books, account)
    add_product(fee, fee_scale, -1, books, account)
    for m in range(len(models)):
        shares[m] = parts[f, m]
    apportion(fee, shares, fees, models)
    for m in range(len(models)):
        pay(parts[f, m], steps[f], s, scales, -1, books, m)
        add_product(fees[m], fee_scale, -1, books, m)
        paid[m] += fees[m]
        lots[m, s] += parts[f, m]


@engine_jit
def fold_money(
    close: Floats,
    units: Floats,
    fills: Integers,
    fill_symbols: Integers,
    fill_steps: Integers,
    fill_parts: Integers,
    crosses: Integers,
    cross_steps: Integers,
    cross_parts: Integers,
    scales: Integers,
    fee_scale: int,
    books: Integers,
    lots: Integers,
    marks: Integers,
    shares: Integers,
    fees: Integers,
    paid: Integers,
    limbs: Integers,
    models: Indices,
) -> None:
    """Each model's worth and the account's cash after each close.

    limbs : int64[T x (M + 1), 2], out, the account last. close : float64[T, S] on the price grids
    of `units` (float64[S]), NaN where there is none. books : int64[M + 1, 2], lots : int64[M, S]
    and marks : int64[S], in steps, as they are before the first close.
    """
    f, c, account = 0, 0, len(books) - 1
    for t in range(len(close)):
        while f < len(fills) and fills[f, CLOSE] == t:
            s = fill_symbols[f]
            pay_fill(
                f,
                fills,
                fill_steps,
                fill_parts,
                fee_scale,
                s,
                scales,
                books,
                lots,
                shares,
                fees,
                paid,
                models,
            )
            f += 1
        while c < len(crosses) and crosses[c, CLOSE] == t:
            s = crosses[c, SYMBOL]
            for m in range(len(models)):
                pay(cross_parts[c, m], cross_steps[c], s, scales, -1, books, m)
                lots[m, s] += cross_parts[c, m]
            c += 1
        for s in range(len(marks)):
            if close[t, s] > 0.0:
                marks[s] = int(np.floor(close[t, s] * units[s] + 0.5))
        first = t * (account + 1)
        limbs[first + account, HIGH] = books[account, HIGH]
        limbs[first + account, LOW] = books[account, LOW]
        for m in range(len(models)):
            limbs[first + m, HIGH] = books[m, HIGH]
            limbs[first + m, LOW] = books[m, LOW]
            for s in range(len(marks)):
                if lots[m, s] != 0:
                    pay(lots[m, s], marks[s], s, scales, 1, limbs, first + m)


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
