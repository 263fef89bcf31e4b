"""Momentum by two moving averages: long while the short one is above the long one, else flat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.parameters import require, require_at_least
from stratvector.strategies.registry import register
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def weigh_where_above(
    close: Floats, short: Floats, long: Floats, weight: float, weights: Floats
) -> None:
    """`weight` where short > long, else 0; NaN where the bar is missing. All flat."""
    for i in range(close.shape[0]):
        held = weight if short[i] > long[i] else 0.0
        weights[i] = held if close[i] == close[i] else np.nan


@register
@dataclass(frozen=True)
class MomentumStrategy(IndicatorStrategy):
    """Long a symbol while its short moving average is above its long one.

    short_window, long_window : bars, short_window < long_window. Each of n symbols weighs 1/n while
    it is held. No memory: a symbol whose bar is missing gets a NaN weight, one with too few bars in
    a window weighs 0. Feature 0 is the weight.
    """

    name: ClassVar[str] = "MomentumStrategy"

    short_window: int = 10
    long_window: int = 30

    def check(self) -> None:
        """Windows of at least one bar, the short one shorter."""
        require_at_least(1, self, "short_window", "long_window")
        require(
            self.short_window < self.long_window,
            self,
            f"short_window {self.short_window} must be below long_window {self.long_window}",
        )

    @property
    def history(self) -> int:
        """The long window."""
        return self.long_window

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """The weight."""
        close = indicators.values()
        weights = np.empty(close.shape)
        weigh_where_above(
            close.reshape(-1),
            indicators.sma(self.short_window).reshape(-1),
            indicators.sma(self.long_window).reshape(-1),
            1.0 / max(1, close.shape[1]),
            weights.reshape(-1),
        )
        return (weights,)
