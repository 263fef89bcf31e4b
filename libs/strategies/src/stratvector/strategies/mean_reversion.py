"""Mean reversion by z-score: buy far below the moving average, sell when the close is back."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.parameters import require, require_at_least
from stratvector.strategies.registry import register
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide

CLOSE, SCORE = 0, 1  # features
THRESHOLD = 1  # parameter


@decide_jit
def _hold_from_low_to_mean(
    state: Floats, row: Floats, parameters: Floats, weights: Floats, confidence: Floats
) -> None:
    """Hold from z < -threshold until z >= 0. Confidence: the size of z against the threshold."""
    symbols = row.shape[0]
    for s in range(symbols):
        score = row[s, SCORE]
        if score < -parameters[THRESHOLD]:
            state[s] = 1.0
        elif score >= 0.0:
            state[s] = 0.0
        present = row[s, CLOSE] == row[s, CLOSE]
        weights[s] = state[s] / symbols if present else np.nan
        certainty = abs(score) / parameters[THRESHOLD] if parameters[THRESHOLD] > 0.0 else 0.0
        confidence[s] = min(1.0, certainty) if score == score else 0.0


@register
@dataclass(frozen=True)
class MeanReversionStrategy(IndicatorStrategy):
    """Long a symbol from z < -threshold until z >= 0, z = (close - mean) / standard deviation.

    window : bars of mean and deviation, at least 2. threshold : standard deviations, above 0. Each
    of n symbols weighs 1/n while it is held. Memory: per symbol, 1 while held. A symbol whose bar
    is missing gets a NaN weight and keeps its memory; one with too few bars in the window neither
    enters nor exits. Features: close, z.
    """

    name: ClassVar[str] = "MeanReversionStrategy"
    decide: ClassVar[Decide] = staticmethod(_hold_from_low_to_mean)

    window: int = 20
    threshold: float = 2.0

    def check(self) -> None:
        """A window that has a spread and a threshold above 0."""
        require_at_least(2, self, "window")
        require(
            0.0 < self.threshold < np.inf,
            self,
            f"threshold is {self.threshold}, but it must be finite and above 0",
        )

    @property
    def history(self) -> int:
        """The window."""
        return self.window

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """Close and z-score."""
        return indicators.values(), indicators.z_score(self.window)

    def initial_state(self, symbols: int) -> Floats:
        """Nothing held."""
        return np.zeros(symbols)
