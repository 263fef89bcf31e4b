"""Moving averages: simple, exponential, weighted, double and triple exponential; MACD."""

import math
from typing import NamedTuple

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.bad_indicator import BadParameter
from stratvector.strategies.indicators.decay import decayed_mean
from stratvector.strategies.indicators.memo import Input, Memo
from stratvector.strategies.indicators.registry import Closes, Column, Tolerance, indicator
from stratvector.trading.engine.compiling import engine_jit

BLOCK = 2048  # values summed together while they stay in the nearest cache
TOLERANCE = 1e-9


def decay_window(decay: float, tolerance: float) -> int:
    """The fewest values after which one weighs no more than `tolerance` of the newest."""
    return max(1, math.ceil(math.log(tolerance) / math.log(decay))) if decay > 0.0 else 1


def ema_decay(window: int) -> float:
    """What a value of an exponential average weighs, against the next: 1 - 2 / (window + 1)."""
    return 1.0 - 2.0 / (window + 1.0)


def ema_window(window: int, tolerance: float = TOLERANCE) -> int:
    """Closes that one value of an exponential average reads."""
    return decay_window(ema_decay(window), tolerance)


def dema_window(window: int, tolerance: float = TOLERANCE) -> int:
    """Closes that one value of the double exponential average reads."""
    return 2 * ema_window(window, tolerance) - 1


def tema_window(window: int, tolerance: float = TOLERANCE) -> int:
    """Closes that one value of the triple exponential average reads."""
    return 3 * ema_window(window, tolerance) - 2


def macd_window(
    fast: int = 12, slow: int = 26, signal: int = 9, tolerance: float = TOLERANCE
) -> int:
    """Closes that one value of MACD's signal reads."""
    longest = max(ema_window(fast, tolerance), ema_window(slow, tolerance))
    return longest + ema_window(signal, tolerance) - 1


@engine_jit
def add_weighted_lags(values: Floats, window: int, sums: Floats) -> None:
    """Sum of (window - lag) x value, newest first."""
    symbols = values.shape[1]
    flat, total = values.reshape(-1), sums.reshape(-1)
    total[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into = total[start:stop]
        for lag in range(window):
            weight = 1.0 * (window - lag)
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                into[i] += weight * lagged[i]


@engine_jit
def weighted_average(sums: Floats, weights: Floats, usable: Floats, average: Floats) -> None:
    """sum / weight; NaN where the window is not usable."""
    for t in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            average[t, s] = sums[t, s] / weights[t, s] if usable[t, s] > 0.0 else np.nan


@engine_jit
def double_average(once: Floats, twice: Floats, average: Floats) -> None:
    """2 x once - twice."""
    for t in range(once.shape[0]):
        for s in range(once.shape[1]):
            average[t, s] = 2.0 * once[t, s] - twice[t, s]


@engine_jit
def triple_average(once: Floats, twice: Floats, thrice: Floats, average: Floats) -> None:
    """3 x once - 3 x twice + thrice."""
    for t in range(once.shape[0]):
        for s in range(once.shape[1]):
            average[t, s] = 3.0 * once[t, s] - 3.0 * twice[t, s] + thrice[t, s]


@engine_jit
def subtract(values: Floats, others: Floats, difference: Floats) -> None:
    """value - other."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            difference[t, s] = values[t, s] - others[t, s]


class Macd(NamedTuple):
    """Fast less slow average, its own average, and the first less the second."""

    line: Floats
    signal: Floats
    histogram: Floats


class Averages(Memo):
    """Averages in the unit of what they average; `of` names a column, or is an array."""

    @indicator()
    def sma(self, window: Closes, of: Column = "close") -> Floats:
        """Mean of the last `window` values."""
        return self.mean(window, self.input(of))

    @indicator(ema_window)
    def ema(self, window: Closes, of: Column = "close", tolerance: Tolerance = TOLERANCE) -> Floats:
        """Mean in which each value weighs 1 - 2 / (window + 1) of the next."""
        reads = ema_window(window, tolerance)
        return self._decayed_mean(ema_decay(window), reads, self.input(of))

    @indicator()
    def wma(self, window: Closes, of: Column = "close") -> Floats:
        """Mean in which the newest value weighs `window`, the one before one less."""
        given = self.input(of)
        return self.apply(
            weighted_average,
            (given.key, window),
            lambda: (
                self._weighted(window, given.key, self.filled(given)),
                self._weighted(window, ("present", given.key), self.present(given)),
                self.usable(window, given),
            ),
        )

    @indicator(dema_window)
    def dema(
        self, window: Closes, of: Column = "close", tolerance: Tolerance = TOLERANCE
    ) -> Floats:
        """Twice the exponential average less its own exponential average."""
        once = self.ema(window, of, tolerance)
        twice = self.ema(window, once, tolerance)
        key = (self.input(once).key, window, tolerance)
        return self.apply(double_average, key, lambda: (once, twice))

    @indicator(tema_window)
    def tema(
        self, window: Closes, of: Column = "close", tolerance: Tolerance = TOLERANCE
    ) -> Floats:
        """Three times the difference of first and second exponential average, plus the third."""
        once = self.ema(window, of, tolerance)
        twice = self.ema(window, once, tolerance)
        thrice = self.ema(window, twice, tolerance)
        key = (self.input(once).key, window, tolerance)
        return self.apply(triple_average, key, lambda: (once, twice, thrice))

    @indicator(macd_window)
    def macd(
        self,
        fast: Closes = 12,
        slow: Closes = 26,
        signal: Closes = 9,
        of: Column = "close",
        tolerance: Tolerance = TOLERANCE,
    ) -> Macd:
        """Fast less slow exponential average, the exponential average of that, their difference."""
        if fast >= slow:
            raise BadParameter("macd", "fast", fast, f"below slow {slow}")
        quick, calm = self.ema(fast, of, tolerance), self.ema(slow, of, tolerance)
        key = (self.input(of).key, fast, slow, tolerance)
        line = self.apply(subtract, key, lambda: (quick, calm))
        self.note_closes(line, ema_window(slow, tolerance), {"of": of})
        signals = self.ema(signal, line, tolerance)
        histogram = self.apply(subtract, (*key, signal), lambda: (line, signals))
        return Macd(line, signals, histogram)

    def _decayed_mean(
        self, decay: float, window: int, of: Input, base: Input | None = None
    ) -> Floats:
        """base : where `of` are steps, what they are steps of; it has one more close."""
        usable = self.usable(window, of) if base is None else self.usable(window + 1, base)
        return self.apply(
            decayed_mean,
            (of.key, decay, window),
            lambda: (*self.decayed(decay, window, of), usable, decay),
        )

    def _weighted(self, window: int, key: object, values: Floats) -> Floats:
        return self.apply(add_weighted_lags, (key, window), lambda: (values, window))
