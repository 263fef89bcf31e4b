"""Channels about the price: Bollinger, Donchian, Keltner, and the extremes of a window."""

from typing import NamedTuple

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.averages import TOLERANCE, ema_window
from stratvector.strategies.indicators.extremes import extreme_of_window
from stratvector.strategies.indicators.memo import Input
from stratvector.strategies.indicators.registry import (
    Closes,
    Column,
    Positive,
    Tolerance,
    indicator,
)
from stratvector.strategies.indicators.volatility import Volatility, atr_window
from stratvector.trading.engine.compiling import engine_jit


def keltner_window(window: int = 20, period: int = 10, tolerance: float = TOLERANCE) -> int:
    """Closes that one value of a Keltner channel reads."""
    return max(ema_window(window, tolerance), atr_window(period, tolerance))


@engine_jit
def bands(
    values: Floats,
    middle: Floats,
    deviation: Floats,
    width: float,
    upper: Floats,
    lower: Floats,
    percent: Floats,
    bandwidth: Floats,
) -> None:
    """middle +- width x deviation; where the value lies between; their distance by the middle."""
    for t in range(middle.shape[0]):
        for s in range(middle.shape[1]):
            half = width * deviation[t, s]
            upper[t, s] = middle[t, s] + half
            lower[t, s] = middle[t, s] - half
            apart = 2.0 * half
            inside = (values[t, s] - lower[t, s]) / apart if apart > 0.0 else 0.5
            percent[t, s] = inside if apart == apart else np.nan
            bandwidth[t, s] = apart / middle[t, s] if middle[t, s] != 0.0 else np.nan


@engine_jit
def channel(middle: Floats, half: Floats, width: float, upper: Floats, lower: Floats) -> None:
    """middle +- width x half."""
    for t in range(middle.shape[0]):
        for s in range(middle.shape[1]):
            upper[t, s] = middle[t, s] + width * half[t, s]
            lower[t, s] = middle[t, s] - width * half[t, s]


@engine_jit
def midpoint(upper: Floats, lower: Floats, middle: Floats) -> None:
    """Half-way between both."""
    for t in range(upper.shape[0]):
        for s in range(upper.shape[1]):
            middle[t, s] = 0.5 * (upper[t, s] + lower[t, s])


class Bollinger(NamedTuple):
    """Bands in the unit of the values; %b is 0 at the lower and 1 at the upper one."""

    upper: Floats
    middle: Floats
    lower: Floats
    percent_b: Floats
    bandwidth: Floats


class Channel(NamedTuple):
    """A channel in the price's unit."""

    upper: Floats
    middle: Floats
    lower: Floats


class Channels(Volatility):
    """Bands and extremes; `of` names a column, or is an array such as a result."""

    @indicator()
    def bollinger(
        self, window: Closes = 20, width: Positive = 2.0, of: Column = "close"
    ) -> Bollinger:
        """Moving average +- `width` population standard deviations, with %b and bandwidth."""
        given = self.input(of)
        middle = self.mean(window, given)
        upper, lower, percent, bandwidth = self.apply_all(
            bands,
            (given.key, window, width),
            lambda: (given.values, middle, self._deviation(window, given), width),
            4,
        )
        return Bollinger(upper, middle, lower, percent, bandwidth)

    @indicator()
    def donchian(self, window: Closes = 20) -> Channel:
        """Highest high, lowest low and the middle between them."""
        upper, lower = self.highest(window, "high"), self.lowest(window, "low")
        middle = self.apply(midpoint, ("donchian", window), lambda: (upper, lower))
        return Channel(upper, middle, lower)

    @indicator(keltner_window)
    def keltner(
        self,
        window: Closes = 20,
        width: Positive = 2.0,
        period: Closes = 10,
        tolerance: Tolerance = TOLERANCE,
    ) -> Channel:
        """Exponential average +- `width` average true ranges of `period`."""
        middle, half = self.ema(window, tolerance=tolerance), self.atr(period, tolerance)
        upper, lower = self.apply_all(
            channel, (window, width, period, tolerance), lambda: (middle, half, width), 2
        )
        return Channel(upper, middle, lower)

    @indicator()
    def highest(self, window: Closes, of: Column = "close") -> Floats:
        """Highest of the last `window` values."""
        return self._extreme(window, self.input(of), 1.0)[0]

    @indicator()
    def lowest(self, window: Closes, of: Column = "close") -> Floats:
        """Lowest of the last `window` values."""
        return self._extreme(window, self.input(of), -1.0)[0]

    @indicator()
    def closes_since_highest(self, window: Closes, of: Column = "close") -> Floats:
        """Closes since the highest of the last `window` values, the newest of equal ones."""
        return self._extreme(window, self.input(of), 1.0)[1]

    @indicator()
    def closes_since_lowest(self, window: Closes, of: Column = "close") -> Floats:
        """Closes since the lowest of the last `window` values, the newest of equal ones."""
        return self._extreme(window, self.input(of), -1.0)[1]

    def _extreme(self, window: int, of: Input, sign: float) -> tuple[Floats, ...]:
        closes = len(self.bars)
        return self.apply_all(
            extreme_of_window,
            (of.key, window, sign),
            lambda: (
                of.values,
                self.usable(window, of),
                window,
                sign,
                np.empty(closes, np.int64),
                np.empty(closes),
            ),
            2,
        )
