"""Equity trend: hold the strongest symbols of a long rise until each falls below its average."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicator_strategy import IndicatorStrategy
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.parameters import require_at_least
from stratvector.strategies.registry import register
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide

CLOSE, SLOW_AVERAGE, EXIT_AVERAGE, MOMENTUM = 0, 1, 2, 3  # features
EQUAL_WEIGHT, MAX_POSITIONS = 3, 4  # parameters


@engine_jit
def _drop_the_fallen(state: Floats, row: Floats) -> int:
    """Exit where close < exit average; how many stay held."""
    held = 0
    for s in range(row.shape[0]):
        if row[s, CLOSE] < row[s, EXIT_AVERAGE]:
            state[s] = 0.0
        if state[s] > 0.0:
            held += 1
    return held


@engine_jit
def _strongest_candidate(state: Floats, row: Floats) -> int:
    """The symbol to enter next, -1 for none; of equals, the first. One that would exit is none."""
    strongest = -1
    momentum = 0.0
    for s in range(row.shape[0]):
        rising = row[s, CLOSE] > row[s, SLOW_AVERAGE] and not row[s, CLOSE] < row[s, EXIT_AVERAGE]
        if state[s] == 0.0 and rising and row[s, MOMENTUM] > momentum:
            strongest = s
            momentum = row[s, MOMENTUM]
    return strongest


@engine_jit
def _weigh_equally(state: Floats, row: Floats, slots: float) -> None:
    """A slot's weight for each held symbol, into the second half of the state."""
    symbols = row.shape[0]
    for s in range(symbols):
        if row[s, CLOSE] == row[s, CLOSE]:
            state[symbols + s] = state[s] / slots


@engine_jit
def _weigh_by_momentum(state: Floats, row: Floats, slots: float) -> None:
    """The filled slots' weight, less what missing symbols keep, in proportion to momentum > 0."""
    symbols = row.shape[0]
    free = 0.0
    total = 0.0
    for s in range(symbols):
        free += state[s] / slots
        if row[s, CLOSE] != row[s, CLOSE]:
            free -= state[symbols + s]
        elif state[s] > 0.0 and row[s, MOMENTUM] > 0.0:
            total += row[s, MOMENTUM]
    for s in range(symbols):
        if row[s, CLOSE] == row[s, CLOSE]:
            strong = state[s] > 0.0 and row[s, MOMENTUM] > 0.0 and total > 0.0
            state[symbols + s] = max(0.0, free) * row[s, MOMENTUM] / total if strong else 0.0


@engine_jit
def _backing(row: Floats, s: int, held: bool) -> float:
    """Which part of the three signs of a trend agrees with being held, or with being flat."""
    signs = 0.0
    if row[s, CLOSE] > row[s, SLOW_AVERAGE]:
        signs += 1.0
    if row[s, CLOSE] > row[s, EXIT_AVERAGE]:
        signs += 1.0
    if row[s, MOMENTUM] > 0.0:
        signs += 1.0
    return signs / 3.0 if held else (3.0 - signs) / 3.0


@decide_jit
def _follow_the_trend(
    state: Floats, row: Floats, parameters: Floats, weights: Floats, confidence: Floats
) -> None:
    """Exits, then entries by rank while a slot is free, then weights."""
    symbols = row.shape[0]
    slots = max(1.0, parameters[MAX_POSITIONS])
    held = _drop_the_fallen(state, row)
    while held < slots:
        entering = _strongest_candidate(state, row)
        if entering < 0:
            break
        state[entering] = 1.0
        held += 1
    if parameters[EQUAL_WEIGHT] > 0.0:
        _weigh_equally(state, row, slots)
    else:
        _weigh_by_momentum(state, row, slots)
    for s in range(symbols):
        present = row[s, CLOSE] == row[s, CLOSE]
        weights[s] = state[symbols + s] if present else np.nan
        confidence[s] = _backing(row, s, state[s] > 0.0) if present else 0.0


@register
@dataclass(frozen=True)
class EquityTrendModel(IndicatorStrategy):
    """Long the symbols with the strongest momentum among those in a long rise.

    Enter when close > slow average, momentum over the lookback > 0 and the exit does not hold, the
    strongest first, while fewer than max_positions are held; exit when close < exit average.

    slow_ma_period, exit_ma_period : bars. momentum_lookback_days : days on any timeframe.
    equal_weight : each held symbol weighs 1/max_positions, so that a free slot stays in cash; false
    shares the filled slots' weight in proportion to momentum, a held symbol without any weighs 0.
    Memory: per symbol 1 while held, then per symbol its weight. A symbol whose bar is missing gets
    a NaN weight and keeps its memory and its slot; one with too few bars in a window neither enters
    nor exits by it. Features: close, slow average, exit average, momentum.
    """

    name: ClassVar[str] = "EquityTrendModel_v1"
    version: ClassVar[str] = "1.0.0"
    decide: ClassVar[Decide] = staticmethod(_follow_the_trend)

    slow_ma_period: int = 200
    momentum_lookback_days: int = 60
    exit_ma_period: int = 50
    equal_weight: bool = True
    max_positions: int = 2

    def check(self) -> None:
        """Periods, lookback and positions of at least 1."""
        require_at_least(1, self, "slow_ma_period", "momentum_lookback_days", "exit_ma_period")
        require_at_least(1, self, "max_positions")

    @property
    def _momentum_lookback(self) -> int:
        return self.momentum_lookback_days * self.bars_per_day

    @property
    def history(self) -> int:
        """The longest of the two averages and the lookback's window."""
        return max(self.slow_ma_period, self._momentum_lookback + 1, self.exit_ma_period)

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """Close, slow average, exit average, momentum."""
        return (
            indicators.values(),
            indicators.sma(self.slow_ma_period),
            indicators.sma(self.exit_ma_period),
            indicators.roc(self._momentum_lookback),
        )

    def initial_state(self, symbols: int) -> Floats:
        """Nothing held, no weight."""
        return np.zeros(2 * symbols)
