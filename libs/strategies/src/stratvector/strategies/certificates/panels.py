"""Panels to certify a strategy on: made-up bars through every kind of market.

A leak may show in one regime only (a crash, a price that stands still, a hole of weeks, prices of
a millionth or of millions), so each symbol goes through all of them, in stretches.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import DAY_NS
from stratvector.trading.bars import Bars

STRETCH = 25  # closes of one regime, on average
SYMBOLS = 3

Random = np.random.Generator


def panel(closes: int, seed: int, gaps: float = 0.1, like: Bars | None = None) -> Bars:
    """So many closes of random bars, a fraction `gaps` of them missing, more in holes.

    like : bars whose symbols and close times it has, continued by their last step where they are
    too short; None takes three symbols, daily. Equal arguments give equal bars.
    """
    random = np.random.default_rng((seed, closes))
    symbols = like.symbols if like is not None else tuple(f"TRIAL{n}" for n in range(SYMBOLS))
    close = np.column_stack([_closes(closes, random) for _ in symbols])
    wick = np.where(random.random(close.shape) < 0.1, 0.0, random.uniform(0.0, 0.03, close.shape))
    open_ = close * (1.0 + wick * random.uniform(-1.0, 1.0, close.shape))
    high, low = np.maximum(open_, close) * (1.0 + wick), np.minimum(open_, close) * (1.0 - wick)
    volume = np.floor(10.0 ** random.uniform(0.0, 7.0, close.shape))
    volume[random.random(close.shape) < 0.02] = 0.0
    missing = _missing(close.shape, gaps, random)
    columns = (np.where(missing, np.nan, c) for c in (open_, high, low, close, volume))
    return Bars(symbols, _times(closes, like), *columns)


def _closes(closes: int, random: Random) -> Floats:
    """One symbol's, from a millionth to millions, through regimes in a row."""
    steps = np.empty(closes)
    at = 0
    while at < closes:
        length = 1 + int(random.exponential(STRETCH))
        regime = REGIMES[random.integers(len(REGIMES))]
        steps[at : at + length] = regime(min(length, closes - at), random)
        at += length
    logs = random.uniform(0.0, 6.0) + np.cumsum(steps)
    # Mirrored at both ends, so that a long panel stays where prices can be.
    span = np.log(1e6)
    closes_of_it: Floats = np.exp(np.abs((logs + span) % (4.0 * span) - 2.0 * span) - span)
    return closes_of_it


def _walk(length: int, random: Random) -> Floats:
    return random.normal(0.0, 0.02, length)


def _trend(length: int, random: Random) -> Floats:
    return random.normal(random.choice([-0.03, 0.03]), 0.01, length)


def _still(length: int, random: Random) -> Floats:
    return np.zeros(length)


def _jumps(length: int, random: Random) -> Floats:
    jumps = np.where(random.random(length) < 0.3, random.uniform(-1.5, 1.5, length), 0.0)
    return jumps + random.normal(0.0, 0.01, length)


def _extreme(length: int, random: Random) -> Floats:
    return random.normal(0.0, 0.5, length)


REGIMES: tuple[Callable[[int, Random], Floats], ...] = (_walk, _trend, _still, _jumps, _extreme)


def _missing(shape: tuple[int, ...], gaps: float, random: Random) -> NDArray[np.bool_]:
    missing = random.random(shape) < gaps
    if gaps:
        # Holes of some closes, in all symbols at once or in one.
        for _ in range(shape[0] // 60):
            first, length = int(random.integers(shape[0])), int(random.integers(2, 12))
            one = int(random.integers(shape[1] + 1))
            columns = slice(None) if one == shape[1] else slice(one, one + 1)
            missing[first : first + length, columns] = True
    return missing


def _times(closes: int, like: Bars | None) -> NDArray[np.int64]:
    if like is None:
        return DAY_NS * np.arange(1, closes + 1, dtype=np.int64)
    known = like.close_times[:closes]
    step = int(np.diff(known[-2:])[0]) if len(known) > 1 else DAY_NS
    more = known[-1] + step * np.arange(1, closes - len(known) + 1, dtype=np.int64)
    return np.concatenate([known, more])
