"""Whole numbers spread over models so that the parts add up to the whole, exactly.

Largest remainder (Hamilton's method), ties in config order. Cumulative fills use a house-monotone
form of it: plain largest remainder can take a lot back from a model when the total grows (the
Alabama paradox).
"""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    Floats,
    Indices,
    Integers,
)

PRODUCT_SAFE = 3037000499  # floor(sqrt(2^63 - 1)): products of two numbers up to it fit in int64
DIGIT, DIGIT_TOP = 16, 72057594037927936  # long division takes four bits at a time, from 16^14 down


@engine_jit
def share_of(amount: int, share: int, whole: int) -> tuple[int, int]:
    """amount x share / whole as quotient and remainder; exact for 0 <= amount, share <= whole <
    2^58, whole above 0.

    A lot may be a hundred-millionth of a coin, so that the product does not fit in int64: it is
    then divided digit by digit of `share`, as on paper.
    """
    if amount == whole:
        return share, 0
    if whole <= PRODUCT_SAFE:
        return amount * share // whole, amount * share % whole
    quotient, rest, unit = 0, 0, DIGIT_TOP
    while unit > 0:
        rest = rest * DIGIT + amount * (share // unit % DIGIT)
        quotient = quotient * DIGIT + rest // whole
        rest %= whole
        unit //= DIGIT
    return quotient, rest


@engine_jit
def apportion(total: int, shares: Integers, parts: Integers, models: Indices) -> None:
    """Spread `total` (any sign) over `shares` (whole, one sign, not all zero): parts sum to
    `total`."""
    if len(models) == 1:
        parts[0] = total
        return
    whole = 0
    for m in range(len(models)):
        whole += abs(shares[m])
    size = abs(total)
    if size <= PRODUCT_SAFE and whole <= PRODUCT_SAFE:
        apportion_small(size, whole, shares, parts, models)
    else:
        apportion_large(size, whole, shares, parts, models)
    if total < 0:
        for m in range(len(models)):
            parts[m] = -parts[m]


@engine_jit
def apportion_small(
    size: int, whole: int, shares: Integers, parts: Integers, models: Indices
) -> None:
    """`apportion` where products fit in int64: one division for each model."""
    given = 0
    for m in range(len(models)):
        parts[m] = size * abs(shares[m]) // whole
        given += parts[m]
    while given < size:
        best, winner = -1, 0
        for m in range(len(models)):
            remainder = size * abs(shares[m]) - parts[m] * whole  # below 0: has had its odd lot
            if remainder > best:
                best, winner = remainder, m
        parts[winner] += 1
        given += 1


@engine_jit
def apportion_large(
    size: int, whole: int, shares: Integers, parts: Integers, models: Indices
) -> None:
    """`apportion` of any size."""
    rounds, rest = size // whole, size % whole
    given = 0
    for m in range(len(models)):
        quota, _ = share_of(rest, abs(shares[m]), whole)
        parts[m] = rounds * abs(shares[m]) + quota
        given += parts[m]
    while given < size:
        best, winner = -1, 0
        for m in range(len(models)):
            quota, remainder = share_of(rest, abs(shares[m]), whole)
            waits = parts[m] == rounds * abs(shares[m]) + quota  # has not had its odd lot yet
            if waits and remainder > best:
                best, winner = remainder, m
        parts[winner] += 1
        given += 1


@engine_jit
def split_fill(
    order: int,
    filled: int,
    lots: int,
    shares: Integers,
    given: Integers,
    parts: Integers,
    models: Indices,
) -> None:
    """The models' parts of an execution of `lots`, after `filled` of an `order` with signed
    `shares` per model.

    given : int64[M], what each model has of the order so far, one sign. Each model's quota is its
    share of all that is filled; it never gives a lot back, never exceeds its share, and a complete
    order is split exactly.
    """
    if len(models) == 1:
        parts[0] = lots
        return
    sign = 1 if lots >= 0 else -1
    whole, done, rest = abs(order), abs(filled + lots), abs(lots)
    for m in range(len(models)):
        quota, _ = share_of(done, abs(shares[m]), whole)
        parts[m] = min(max(0, quota - abs(given[m])), rest)
        rest -= parts[m]
    while rest > 0:
        winner, least, best = -1, 0, 0
        for m in range(len(models)):
            quota, remainder = share_of(done, abs(shares[m]), whole)
            has = abs(given[m]) + parts[m]
            ahead = has - quota  # whole lots above its quota, of which `remainder` is the rest
            closer = ahead < least or (ahead == least and remainder > best)
            if has < abs(shares[m]) and (winner < 0 or closer):
                winner, least, best = m, ahead, remainder
        parts[winner] += 1
        rest -= 1
    for m in range(len(models)):
        parts[m] *= sign


@engine_jit
def whole_lots(total: int, fraction: Floats, parts: Integers, models: Indices) -> None:
    """Round signed `parts + fraction` (floor and rest of each model) so that the parts sum to
    `total`.

    parts : in: the floors, out: the lots. fraction : float64[M] in [0, 1), used up. The sum of
    floors is at most `total` but for rounding of the sum itself, which the model of least fraction
    then bears.
    """
    given = 0
    for m in range(len(models)):
        given += parts[m]
    while given < total:
        winner = 0
        for m in range(1, len(models)):
            if fraction[m] > fraction[winner]:
                winner = m
        parts[winner] += 1
        fraction[winner] = -1.0
        given += 1
    while given > total:
        loser = 0
        for m in range(1, len(models)):
            if fraction[m] < fraction[loser]:
                loser = m
        parts[loser] -= 1
        fraction[loser] = 2.0
        given -= 1
