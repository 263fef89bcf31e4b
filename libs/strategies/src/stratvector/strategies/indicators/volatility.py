"""Volatility: true range, its average, Wilder's directional movement, spread of returns."""

from typing import NamedTuple

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.averages import TOLERANCE, Averages, decay_window
from stratvector.strategies.indicators.comovement import Comovement, step_window
from stratvector.strategies.indicators.memo import Input
from stratvector.strategies.indicators.registry import (
    Closes,
    Column,
    Positive,
    Returns,
    SpreadCloses,
    Tolerance,
    indicator,
)
from stratvector.strategies.indicators.steps import log_returns, ranges_and_moves, simple_returns
from stratvector.trading.engine.compiling import engine_jit


def wilder_decay(period: int) -> float:
    """What a value of Wilder's average weighs, against the next: 1 - 1 / period."""
    return 1.0 - 1.0 / period


def atr_window(period: int = 14, tolerance: float = TOLERANCE) -> int:
    """Closes that one average true range reads."""
    return decay_window(wilder_decay(period), tolerance) + 1


def adx_window(period: int = 14, tolerance: float = TOLERANCE) -> int:
    """Closes that one average directional index reads."""
    return 2 * decay_window(wilder_decay(period), tolerance)


def two_closes() -> int:
    """The close and the one before."""
    return 2


@engine_jit
def range_of_bar(high: Floats, low: Floats, close: Floats, usable: Floats, result: Floats) -> None:
    """Highest less lowest of the bar and the close before; of the bar alone where it is missing."""
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            result[t, s] = np.nan
            if usable[t, s] > 0.0:
                before = close[t - 1, s]
                there = before == before
                top = max(high[t, s], before) if there else high[t, s]
                bottom = min(low[t, s], before) if there else low[t, s]
                result[t, s] = top - bottom


@engine_jit
def directional(
    ranges: Floats,
    up: Floats,
    down: Floats,
    usable: Floats,
    plus: Floats,
    minus: Floats,
    index: Floats,
) -> None:
    """100 x up / range, 100 x down / range, and their distance by their sum; 0 where they are."""
    for t in range(ranges.shape[0]):
        for s in range(ranges.shape[1]):
            plus[t, s] = np.nan
            minus[t, s] = np.nan
            index[t, s] = np.nan
            if usable[t, s] > 0.0:
                some = ranges[t, s] > 0.0
                plus[t, s] = 100.0 * up[t, s] / ranges[t, s] if some else 0.0
                minus[t, s] = 100.0 * down[t, s] / ranges[t, s] if some else 0.0
                both = plus[t, s] + minus[t, s]
                apart = abs(plus[t, s] - minus[t, s])
                index[t, s] = 100.0 * apart / both if both > 0.0 else 0.0


@engine_jit
def annualised(
    squares: Floats, counts: Floats, usable: Floats, closes_per_year: float, result: Floats
) -> None:
    """sqrt(squares / (count - 1) x closes per year); NaN where there are fewer than 2 returns."""
    for t in range(squares.shape[0]):
        for s in range(squares.shape[1]):
            result[t, s] = np.nan
            if usable[t, s] > 0.0 and counts[t, s] > 1.0:
                variance = squares[t, s] / (counts[t, s] - 1.0)
                result[t, s] = np.sqrt(variance * closes_per_year)


class Adx(NamedTuple):
    """Average directional index, +DI and -DI, each 0 to 100."""

    adx: Floats
    plus_di: Floats
    minus_di: Floats


class Volatility(Averages, Comovement):
    """How far prices move; ranges in the price's unit."""

    @indicator(two_closes)
    def true_range(self) -> Floats:
        """Highest less lowest of the bar and the close before it."""
        close = self.input("close")
        bars = self.values("high"), self.values("low"), close.values
        return self.apply(range_of_bar, "true", lambda: (*bars, self.usable(2, close)))

    @indicator(atr_window)
    def atr(self, period: Closes = 14, tolerance: Tolerance = TOLERANCE) -> Floats:
        """Wilder's average of the true ranges."""
        decay = wilder_decay(period)
        reads = decay_window(decay, tolerance)
        return self._decayed_mean(decay, reads, self._moves()[0], self.input("close"))

    @indicator(adx_window)
    def adx(self, period: Closes = 14, tolerance: Tolerance = TOLERANCE) -> Adx:
        """Wilder's average of |+DI - -DI| / (+DI + -DI), both of the moves by the true ranges."""
        decay = wilder_decay(period)
        reads = decay_window(decay, tolerance)
        plus, minus, index = self.apply_all(
            directional,
            (period, tolerance),
            lambda: (
                *(self.decayed(decay, reads, one)[0] for one in self._moves()),
                self.usable(reads + 1, self.input("close")),
            ),
            3,
        )
        for result in (plus, minus, index):
            self.note_closes(result, reads + 1, {})
        return Adx(self._decayed_mean(decay, reads, self.input(index)), plus, minus)

    @indicator(step_window)
    def volatility(
        self,
        window: SpreadCloses,
        closes_per_year: Positive,
        returns: Returns = "log",
        of: Column = "close",
    ) -> Floats:
        """Sample deviation of the last `window` returns x sqrt(closes_per_year), a fraction."""
        given = self.input(of)
        kernel = log_returns if returns == "log" else simple_returns
        steps = self.derived(kernel.__name__, kernel, given)
        mean = self._step_mean(window, steps, given)
        return self.apply(
            annualised,
            (steps.key, window, closes_per_year),
            lambda: (
                self._squares(window, steps, mean),
                self.counts(window, steps),
                self.usable(window + 1, given),
                closes_per_year,
            ),
        )

    def _moves(self) -> tuple[Input, ...]:
        """True ranges, moves up and moves down, from bar to bar."""
        bars = tuple(self.values(name) for name in ("high", "low", "close"))
        moves = self.apply_all(ranges_and_moves, "bars", lambda: bars, 3)
        names = ("range", "up", "down")
        return tuple(Input(("step", n), m, 2) for n, m in zip(names, moves, strict=True))
