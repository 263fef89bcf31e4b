"""Index mean reversion: buy a sharp fall, sell the recovery.

After Connors and Alvarez, Short Term Trading Strategies That Work, 2008.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators, rsi_window
from stratvector.strategies.parameters import require, require_at_least
from stratvector.strategies.registry import register
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide

BAND_WIDTH = 2.0  # standard deviations
RSI_TOLERANCE = 1e-6  # what is left out of the index weighs less

CLOSE, RSI, LOWER_BAND, MIDDLE_BAND = 0, 1, 2, 3  # features
RSI_OVERSOLD, RSI_OVERBOUGHT = 1, 2  # parameters


@decide_jit
def _buy_weakness_sell_strength(
    state: Floats, row: Floats, parameters: Floats, weights: Floats, confidence: Floats
) -> None:
    """Enter and exit each symbol by its own row. Confidence: how far the RSI backs the position."""
    symbols = row.shape[0]
    for s in range(symbols):
        close, rsi = row[s, CLOSE], row[s, RSI]
        if rsi < parameters[RSI_OVERSOLD] and close < row[s, LOWER_BAND]:
            state[s] = 1.0
        elif rsi > parameters[RSI_OVERBOUGHT] or close > row[s, MIDDLE_BAND]:
            state[s] = 0.0
        weights[s] = state[s] / symbols if close == close else np.nan
        backing = 100.0 - rsi if state[s] > 0.0 else rsi
        confidence[s] = backing / 100.0 if rsi == rsi else 0.0


@register
@dataclass(frozen=True)
class IndexMeanReversionModel(IndicatorStrategy):
    """Long a symbol from a sharp fall until it recovers.

    Enter long when RSI < rsi_oversold and close < lower Bollinger band (2 standard deviations);
    exit when RSI > rsi_overbought or close > middle band.

    rsi_period, bb_period : bars. rsi_oversold, rsi_overbought : 0 to 100. Each of n symbols weighs
    1/n while it is held. Memory: per symbol, 1 while held. A symbol whose bar is missing gets a NaN
    weight and keeps its memory; one with too few bars in a window neither enters nor exits by it.
    Features: close, RSI, lower band, middle band.
    """

    name: ClassVar[str] = "IndexMeanReversionModel_v1"
    version: ClassVar[str] = "1.0.0"
    decide: ClassVar[Decide] = staticmethod(_buy_weakness_sell_strength)

    rsi_period: int = 2
    rsi_oversold: float = 10
    rsi_overbought: float = 90
    bb_period: int = 20

    def check(self) -> None:
        """Whole periods, and thresholds of the index in their order."""
        require_at_least(1, self, "rsi_period")
        require_at_least(2, self, "bb_period")
        require(
            0 <= self.rsi_oversold < self.rsi_overbought <= 100,
            self,
            f"0 <= rsi_oversold {self.rsi_oversold} < rsi_overbought {self.rsi_overbought} <= 100 "
            "must hold",
        )

    @property
    def history(self) -> int:
        """The longer of the RSI's window (21 closes for a period of 2) and the bands'."""
        return max(rsi_window(self.rsi_period, RSI_TOLERANCE), self.bb_period)

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """Close, RSI, lower band, middle band."""
        bands = indicators.bollinger(self.bb_period, BAND_WIDTH)
        rsi = indicators.rsi(self.rsi_period, tolerance=RSI_TOLERANCE)
        return indicators.values(), rsi, bands.lower, bands.middle

    def initial_state(self, symbols: int) -> Floats:
        """Nothing held."""
        return np.zeros(symbols)
