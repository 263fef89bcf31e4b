"""What may become of the bars after a close: no strategy may know it at that close."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import scrambled_after
from stratvector.trading.bars import FIELDS, PRICES, Bars

SCALES = (1e-3, 0.25, 0.9, 1.1, 4.0, 1e3)
GAP_SHARE = 0.4

Scramble = Callable[[Bars, int, int], Bars]


def others(bars: Bars, t: int, seed: int) -> Bars:
    """Other prices, volumes and gaps."""
    return scrambled_after(bars, t, seed)


def ended(bars: Bars, t: int, seed: int) -> Bars:
    """No bars any more, as live."""
    return bars.window(0, t + 1)


def next_only(bars: Bars, t: int, seed: int) -> Bars:
    """Another bar at the next close; those after it stay."""
    other = scrambled_after(bars, t, seed)
    return _with(bars, {f: _row(getattr(bars, f), getattr(other, f), t + 1) for f in FIELDS})


def other_volume(bars: Bars, t: int, seed: int) -> Bars:
    """Other volumes."""
    random = np.random.default_rng((seed, t))
    volume = bars.volume.copy()
    after = volume[t + 1 :]
    drawn = np.floor(10.0 ** random.uniform(0, 9, after.shape))
    after[:] = np.where(np.isnan(after), np.nan, drawn)
    return replace(bars, volume=volume)


def other_gaps(bars: Bars, t: int, seed: int) -> Bars:
    """Bars that are missing, where some were, and bars where some were missing."""
    random = np.random.default_rng((seed, t))
    other = scrambled_after(bars, t, seed)
    missing = random.random((len(bars) - t - 1, len(bars.symbols))) < GAP_SHARE
    columns = {}
    for name in FIELDS:
        values, instead = getattr(bars, name).copy(), getattr(other, name)[t + 1 :]
        after = values[t + 1 :]
        after[:] = np.where(missing, np.nan, np.where(np.isnan(after), instead, after))
        columns[name] = values
    gone = np.logical_or.reduce([np.isnan(values) for values in columns.values()])
    return _with(bars, {name: np.where(gone, np.nan, v) for name, v in columns.items()})


def scaled(bars: Bars, t: int, seed: int) -> Bars:
    """The same returns at another level of prices, far up or down, by symbol."""
    random = np.random.default_rng((seed, t))
    factors = random.choice(SCALES, len(bars.symbols))
    columns = {}
    for name in PRICES:
        values = getattr(bars, name).copy()
        values[t + 1 :] *= factors
        columns[name] = values
    return _with(bars, columns)


SCRAMBLES: dict[str, Scramble] = {
    "when the bars after close {t} are others": others,
    "when the bars end at close {t}": ended,
    "when the bar after close {t} is another": next_only,
    "when the volumes after close {t} are others": other_volume,
    "when other bars are missing after close {t}": other_gaps,
    "when the prices after close {t} are at another level": scaled,
}
"""By what the sentence says of them."""


def _with(bars: Bars, columns: dict[str, Floats]) -> Bars:
    values = {name: columns.get(name, getattr(bars, name)) for name in FIELDS}
    return Bars(bars.symbols, bars.close_times, **values)


def _row(values: Floats, other: Floats, row: int) -> Floats:
    found = values.copy()
    found[row : row + 1] = other[row : row + 1]
    return found
