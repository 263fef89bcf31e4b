"""Bars to try strategies on: closes written by hand, and random walks with jumps and gaps."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import FIELDS, Bars

DAY_NS = 86_400_000_000_000


def bars_of(**closes: Iterable[float | None]) -> Bars:
    """Daily bars of the named symbols with these closes, None for a missing bar.

    `bars_of(A=[10, 11, None])`: open, high and low equal the close, volume is 1,000.
    """
    panel = np.array([list(given) for given in closes.values()], dtype=np.float64).T
    close = np.ascontiguousarray(panel)
    close_times = DAY_NS * np.arange(1, len(close) + 1, dtype=np.int64)
    volume = np.where(np.isnan(close), np.nan, 1000.0)
    return Bars(tuple(closes), close_times, close, close, close, close, volume)


def trial_bars(closes: int, symbols: int = 3, seed: int = 0, gaps: float = 0.1) -> Bars:
    """Daily bars of `symbols` made-up symbols, a fraction `gaps` of them missing.

    Equal arguments give equal bars. Prices start anywhere between 1 and 1,000.
    """
    close_times = DAY_NS * np.arange(1, closes + 1, dtype=np.int64)
    names = tuple(f"TRIAL{number}" for number in range(symbols))
    return _random_bars(names, close_times, np.random.default_rng(seed), gaps)


def scrambled_after(bars: Bars, t: int, seed: int) -> Bars:
    """The same bars up to row t; after it other prices, other volumes and other gaps."""
    random = np.random.default_rng((seed, t))
    gaps = random.choice([0.0, 0.1, 0.5])
    other = _random_bars(bars.symbols, bars.close_times[t + 1 :], random, gaps)
    columns = (
        np.concatenate((getattr(bars, name)[: t + 1], getattr(other, name))) for name in FIELDS
    )
    return Bars(bars.symbols, bars.close_times, *columns)


def _random_bars(
    symbols: tuple[str, ...],
    close_times: NDArray[np.int64],
    random: np.random.Generator,
    gaps: float,
) -> Bars:
    shape = (len(close_times), len(symbols))
    steps = random.normal(0.0, 0.02, shape) * (random.random(shape) > 0.1)
    jumps = np.where(random.random(shape) < 0.02, random.uniform(0.7, 1.4, shape), 1.0)
    start = 10.0 ** random.uniform(0.0, 3.0, len(symbols))
    close = start * np.cumprod(np.maximum(1.0 + steps, 0.5) * jumps, axis=0)
    open_ = close * random.uniform(0.98, 1.02, shape)
    high = np.maximum(open_, close) * random.uniform(1.0, 1.02, shape)
    low = np.minimum(open_, close) * random.uniform(0.98, 1.0, shape)
    volume = np.floor(random.uniform(0.0, 1e6, shape))
    missing = random.random(shape) < gaps
    columns = (np.where(missing, np.nan, c) for c in (open_, high, low, close, volume))
    return Bars(symbols, close_times, *columns)
