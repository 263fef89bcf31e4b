"""Momentum: change, Wilder's index, and where the close stands in a window's range."""

from typing import NamedTuple

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.averages import TOLERANCE, decay_window
from stratvector.strategies.indicators.channels import Channels
from stratvector.strategies.indicators.memo import Input
from stratvector.strategies.indicators.registry import Closes, Column, Tolerance, indicator
from stratvector.strategies.indicators.steps import gains_and_moves
from stratvector.strategies.indicators.volatility import wilder_decay
from stratvector.trading.engine.compiling import engine_jit

BLOCK = 2048  # values summed together while they stay in the nearest cache
ROUNDING = 2.3e-16  # of a sum's term: a smaller spread is none


def roc_window(lookback: int) -> int:
    """Closes that a change over `lookback` closes reads."""
    return lookback + 1


def rsi_window(period: int = 14, tolerance: float = TOLERANCE) -> int:
    """Closes that one value of the relative strength index reads."""
    return decay_window(wilder_decay(period), tolerance) + 1


def aroon_window(period: int = 14) -> int:
    """Closes that one value of Aroon reads."""
    return period + 1


def stochastic_window(window: int = 14, slowing: int = 3, smoothing: int = 3) -> int:
    """Closes that one value of the stochastic's %D reads."""
    return window + slowing + smoothing - 2


@engine_jit
def change_over(values: Floats, usable: Floats, lookback: int, change: Floats) -> None:
    """value / value `lookback` closes ago - 1; NaN where the older value is 0.

    When that close is missing, the oldest one present since then stands for it.
    """
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            change[t, s] = np.nan
            if usable[t, s] > 0.0:
                lag = lookback
                while values[t - lag, s] != values[t - lag, s]:
                    lag -= 1
                before = values[t - lag, s]
                if before != 0.0:
                    change[t, s] = values[t, s] / before - 1.0


@engine_jit
def strength(gains: Floats, moves: Floats, usable: Floats, index: Floats) -> None:
    """100 x gains / moves; 50 where nothing moved."""
    for t in range(gains.shape[0]):
        for s in range(gains.shape[1]):
            index[t, s] = np.nan
            if usable[t, s] > 0.0:
                moved = moves[t, s] > 0.0
                index[t, s] = 100.0 * (gains[t, s] / moves[t, s]) if moved else 50.0


@engine_jit
def place_in_range(
    values: Floats, highest: Floats, lowest: Floats, offset: float, place: Floats
) -> None:
    """100 x (value - lowest) / (highest - lowest) + offset; in the middle where both are equal."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            span = highest[t, s] - lowest[t, s]
            above = values[t, s] - lowest[t, s]
            place[t, s] = (100.0 * (above / span) if span != 0.0 else 50.0) + offset


@engine_jit
def typical_price(high: Floats, low: Floats, close: Floats, price: Floats) -> None:
    """(high + low + close) / 3."""
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            price[t, s] = (high[t, s] + low[t, s] + close[t, s]) / 3.0


@engine_jit
def add_distances(values: Floats, mean: Floats, window: int, distances: Floats) -> None:
    """Sum of |value - mean|, newest first; missing values add nothing."""
    symbols = values.shape[1]
    flat, centre, total = values.reshape(-1), mean.reshape(-1), distances.reshape(-1)
    total[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, about = total[start:stop], centre[start:stop]
        for lag in range(window):
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                distance = abs(lagged[i] - about[i])
                into[i] += distance if distance == distance else 0.0


@engine_jit
def channel_index(
    values: Floats, mean: Floats, distances: Floats, counts: Floats, window: int, index: Floats
) -> None:
    """(value - mean) / (0.015 x mean distance); 0 where all values are equal."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            index[t, s] = values[t, s] - mean[t, s]
            if mean[t, s] == mean[t, s]:
                spread = distances[t, s] / counts[t, s]
                some = spread > window * ROUNDING * abs(mean[t, s])
                index[t, s] = index[t, s] / (0.015 * spread) if some else 0.0


@engine_jit
def aroon_of(
    high: Floats, low: Floats, period: int, up: Floats, down: Floats, both: Floats
) -> None:
    """100 x (period - closes since) / period, and up less down."""
    for t in range(high.shape[0]):
        for s in range(high.shape[1]):
            up[t, s] = 100.0 * (period - high[t, s]) / period
            down[t, s] = 100.0 * (period - low[t, s]) / period
            both[t, s] = up[t, s] - down[t, s]


class Stochastic(NamedTuple):
    """%K and %D, 0 to 100."""

    k: Floats
    d: Floats


class Aroon(NamedTuple):
    """Up and down, 0 to 100, and up less down."""

    up: Floats
    down: Floats
    oscillator: Floats


class Oscillators(Channels):
    """Momentum; `of` names a column, or is an array such as a result."""

    @indicator(roc_window)
    def roc(self, lookback: Closes, of: Column = "close") -> Floats:
        """Rate of change over `lookback` closes (momentum), as a fraction."""
        given = self.input(of)
        return self.apply(
            change_over,
            (given.key, lookback),
            lambda: (given.values, self.usable(lookback + 1, given), lookback),
        )

    @indicator(rsi_window)
    def rsi(
        self, period: Closes = 14, of: Column = "close", tolerance: Tolerance = TOLERANCE
    ) -> Floats:
        """Wilder's relative strength index, 0 to 100; 50 where nothing moved."""
        given = self.input(of)
        decay = wilder_decay(period)
        reads = decay_window(decay, tolerance)
        steps = self.apply_all(gains_and_moves, given.key, lambda: (given.values,), 2)
        gains, moves = (
            Input((name, given.key), step, given.closes + 1)
            for name, step in zip(("gain", "move"), steps, strict=True)
        )
        return self.apply(
            strength,
            (given.key, period, tolerance),
            lambda: (
                self.decayed(decay, reads, gains)[0],
                self.decayed(decay, reads, moves)[0],
                self.usable(reads + 1, given),
            ),
        )

    @indicator(stochastic_window)
    def stochastic(
        self, window: Closes = 14, slowing: Closes = 3, smoothing: Closes = 3
    ) -> Stochastic:
        """%K: where the close lies in the window's range; %D: its average. slowing 1 is fast."""
        fast = self._place(window, 0.0)
        slow = self.sma(slowing, fast)
        return Stochastic(slow, self.sma(smoothing, slow))

    @indicator()
    def williams_r(self, window: Closes = 14) -> Floats:
        """Where the close lies in the window's range, -100 to 0."""
        return self._place(window, -100.0)

    @indicator()
    def cci(self, window: Closes = 20) -> Floats:
        """Commodity channel index: distance of the typical price by 0.015 mean distances."""
        price = self._typical()
        mean = self.mean(window, price)
        total = self.apply(add_distances, (price.key, window), lambda: (price.values, mean, window))
        return self.apply(
            channel_index,
            (price.key, window),
            lambda: (price.values, mean, total, self.counts(window, price), window),
        )

    @indicator(aroon_window)
    def aroon(self, period: Closes = 14) -> Aroon:
        """How fresh the highest high and the lowest low of period + 1 closes are."""
        high = self.closes_since_highest(period + 1, "high")
        low = self.closes_since_lowest(period + 1, "low")
        return Aroon(*self.apply_all(aroon_of, period, lambda: (high, low, period), 3))

    def _place(self, window: int, offset: float) -> Floats:
        highest, lowest = self.highest(window, "high"), self.lowest(window, "low")
        close = self.values()
        place = self.apply(
            place_in_range, (window, offset), lambda: (close, highest, lowest, offset)
        )
        self.note_closes(place, window, {})
        return place

    def _typical(self) -> Input:
        prices = (self.input(name) for name in ("high", "low", "close"))
        return self.derived("typical", typical_price, *prices)
