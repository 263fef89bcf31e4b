"""Crypto momentum: once a week, equal weights in whatever rose over both lookbacks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.parameters import require, require_at_least
from stratvector.strategies.registry import register
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide

CLOSE, SHORT_MOMENTUM, LONG_MOMENTUM = 0, 1, 2  # features
REBALANCE_CLOSES = 2  # parameter
SINCE_REBALANCE = 0  # state; the weights follow
NEVER = -1.0


@engine_jit
def _is_rising(row: Floats, s: int) -> bool:
    return bool(row[s, SHORT_MOMENTUM] > 0.0 and row[s, LONG_MOMENTUM] > 0.0)


@engine_jit
def _is_due(state: Floats, row: Floats, interval: float) -> bool:
    """Whether to rebalance now; a close without any bar postpones it."""
    present = 0
    for s in range(row.shape[0]):
        if row[s, CLOSE] == row[s, CLOSE]:
            present += 1
    waited = state[SINCE_REBALANCE] < 0.0 or state[SINCE_REBALANCE] >= interval
    return waited and present > 0


@engine_jit
def _rebalance(state: Floats, row: Floats) -> None:
    """Equal weights among the rising symbols, of what the missing ones do not keep."""
    free = 1.0
    rising = 0.0
    for s in range(row.shape[0]):
        if row[s, CLOSE] != row[s, CLOSE]:
            free -= state[1 + s]
        elif _is_rising(row, s):
            rising += 1.0
    for s in range(row.shape[0]):
        if row[s, CLOSE] == row[s, CLOSE]:
            held = rising > 0.0 and _is_rising(row, s)
            state[1 + s] = max(0.0, free) / rising if held else 0.0


@engine_jit
def _backing(row: Floats, s: int, held: bool) -> float:
    """Which part of the two momenta agrees with being held, or with being flat."""
    signs = 0.0
    if row[s, SHORT_MOMENTUM] > 0.0:
        signs += 1.0
    if row[s, LONG_MOMENTUM] > 0.0:
        signs += 1.0
    return signs / 2.0 if held else (2.0 - signs) / 2.0


@decide_jit
def _hold_between_rebalances(
    state: Floats, row: Floats, parameters: Floats, weights: Floats, confidence: Floats
) -> None:
    """Count closes, rebalance when it is due, and hold the weights in between."""
    if state[SINCE_REBALANCE] >= 0.0:
        state[SINCE_REBALANCE] += 1.0
    if _is_due(state, row, parameters[REBALANCE_CLOSES]):
        _rebalance(state, row)
        state[SINCE_REBALANCE] = 0.0
    for s in range(row.shape[0]):
        present = row[s, CLOSE] == row[s, CLOSE]
        weights[s] = state[1 + s] if present else np.nan
        confidence[s] = _backing(row, s, state[1 + s] > 0.0) if present else 0.0


@register
@dataclass(frozen=True)
class CryptoMomentumModel(IndicatorStrategy):
    """Equal weights in the symbols whose momentum is above 0 over both lookbacks.

    short_lookback, long_lookback : days on any timeframe, short_lookback < long_lookback.
    rebalance_days : days between decisions; in between the weights are held. The first decision is
    made as soon as the history suffices. Memory: closes since the last rebalance (-1 before the
    first), then per symbol its weight. A symbol whose bar is missing gets a NaN weight and keeps
    its memory, at a rebalance too: the others then share what it leaves. Features: close, short and
    long momentum.
    """

    name: ClassVar[str] = "CryptoMomentumModel_v1"
    version: ClassVar[str] = "1.0.0"
    decide: ClassVar[Decide] = staticmethod(_hold_between_rebalances)

    short_lookback: int = 30
    long_lookback: int = 60
    rebalance_days: int = 7

    def check(self) -> None:
        """Days of at least 1, the short lookback shorter."""
        require_at_least(1, self, "short_lookback", "long_lookback", "rebalance_days")
        require(
            self.short_lookback < self.long_lookback,
            self,
            f"short_lookback {self.short_lookback} must be below long_lookback "
            f"{self.long_lookback}",
        )

    @property
    def history(self) -> int:
        """The long lookback's window."""
        return self.long_lookback * self.bars_per_day + 1

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """Close, momentum over the short and over the long lookback."""
        return (
            indicators.values(),
            indicators.roc(self.short_lookback * self.bars_per_day),
            indicators.roc(self.long_lookback * self.bars_per_day),
        )

    def initial_state(self, symbols: int) -> Floats:
        """Never rebalanced, nothing held."""
        state = np.zeros(1 + symbols)
        state[SINCE_REBALANCE] = NEVER
        return state

    def parameters(self) -> Floats:
        """Both lookbacks and the interval of rebalancing, in closes."""
        days = (self.short_lookback, self.long_lookback, self.rebalance_days)
        return np.array([float(d * self.bars_per_day) for d in days])
