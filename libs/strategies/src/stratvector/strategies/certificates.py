"""Two certificates that every strategy must earn, on every row and to the last bit.

Causality: whatever the bars after close t are, nothing up to t changes.
Bounded memory: the last `history` closes, with the state before them, give what the whole history
gives, so that live (one window at a time) and backtest (all rows at once) decide alike.

Both compare features, weights, confidence and states. NaN equals NaN, 0.0 does not equal -0.0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies.bad_strategy import TooFewCloses
from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import scrambled_after, trial_bars
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import run_scan
from stratvector.trading.strategy import Strategy, check_parts, feature_rows
from stratvector.trading.timestamps import utc_text

QUANTITIES = ("feature", "weight", "confidence", "state")
FEATURES, STATES = 0, 3


@dataclass(frozen=True)
class Violation:
    """The first number that is not what it must be.

    quantity : "feature 2", "weight", "confidence" or "state 0". symbol : None for a state.
    close : row of the bars. expected, found : what it is over the bars as they are, and otherwise.
    circumstance : what "otherwise" was.
    """

    quantity: str
    symbol: str | None
    close: int
    close_time: int
    expected: float
    found: float
    circumstance: str

    def __str__(self) -> str:
        """One sentence."""
        whose = f" of {self.symbol}" if self.symbol else ""
        return (
            f"{self.quantity}{whose} at close {self.close} ({utc_text(self.close_time)}) is "
            f"{self.expected!r}, but {self.found!r} {self.circumstance}"
        )


@dataclass(frozen=True)
class Certificate:
    """What a strategy has proved on `closes` closes; None where nothing broke the property."""

    strategy: Strategy
    closes: int
    causality: Violation | None
    bounded_memory: Violation | None

    @property
    def holds(self) -> bool:
        """Whether both properties hold."""
        return self.causality is None and self.bounded_memory is None

    def __str__(self) -> str:
        """One sentence per property."""
        name = self.strategy.name
        causal = f"{name} is causal: nothing up to a close depends on what comes after it"
        bounded = f"{name} needs its last {self.strategy.history} closes and its state, no more"
        return "\n".join(
            (
                f"{name} looks ahead: {self.causality}" if self.causality else causal,
                f"{name} remembers more than its history: {self.bounded_memory}"
                if self.bounded_memory
                else bounded,
            )
        )


def certify(strategy: Strategy, bars: Bars | None = None, seed: int = 0) -> Certificate:
    """Check both properties at every close of `bars`.

    bars : at least history + 1 closes, gaps welcome; None takes random ones, twice the history and
    60. The work grows with the square of their number.
    Raises TooFewCloses, BadFeatures, BadPart, and whatever the strategy itself raises.
    """
    if bars is None:
        bars = trial_bars(2 * strategy.history + 60, seed=seed)
    return Certificate(
        strategy,
        len(bars),
        check_causality(strategy, bars, seed),
        check_bounded_memory(strategy, bars),
    )


def check_causality(strategy: Strategy, bars: Bars, seed: int = 0) -> Violation | None:
    """The first number that changes when the bars after some close do; None when there is none.

    For every close t, values, gaps and volume after t are replaced by random ones (of `seed`).
    """
    _check_enough(strategy, bars)
    actual = _compute(strategy, bars)
    for t in range(len(bars) - 1):
        other = _compute(strategy, scrambled_after(bars, t, seed))
        circumstance = f"when the bars after close {t} are others"
        known = _rows(actual, 0, t + 1), _rows(other, 0, t + 1)
        found = _first_difference(*known, bars, 0, circumstance)
        if found is not None:
            return found
    return None


def check_bounded_memory(strategy: Strategy, bars: Bars) -> Violation | None:
    """The first number that its window does not reproduce; None when there is none.

    For every close t, the strategy sees the last `history` closes alone, continuing from the state
    after t - 1. Rows before `history` - 1 must be NaN.
    """
    _check_enough(strategy, bars)
    history = strategy.history
    actual = _compute(strategy, bars)
    early = _rows(actual, 0, history - 1)
    blank = early._replace(features=np.full_like(early.features, np.nan))
    circumstance = f"though the strategy says that it needs {history} closes"
    found = _first_difference(blank, early, bars, 0, circumstance)
    state = strategy.initial_state(len(bars.symbols))
    for t in range(history - 1, len(bars)):
        if found is not None:
            break
        window = _compute(strategy, bars.window(t - history + 1, t + 1), state)
        last = _rows(actual, t, t + 1), _rows(window, history - 1, history)
        circumstance = f"over its last {history} closes alone"
        found = _first_difference(*last, bars, t, circumstance)
        state = actual.states[t]
    return found


class _Computed(NamedTuple):
    """features : closes x symbols x features. weights, confidence : closes x symbols. states."""

    features: Floats
    weights: Floats
    confidence: Floats
    states: Floats


def _check_enough(strategy: Strategy, bars: Bars) -> None:
    if len(bars) <= strategy.history:
        raise TooFewCloses(strategy.name, len(bars), strategy.history + 1)


def _compute(strategy: Strategy, bars: Bars, state: Floats | None = None) -> _Computed:
    check_parts(strategy, len(bars.symbols))
    features = feature_rows(strategy, bars)
    start = np.array(strategy.initial_state(len(bars.symbols)) if state is None else state)
    folded = run_scan(strategy.decide, features, strategy.parameters(), start, strategy.history - 1)
    return _Computed(features, *folded)


def _rows(computed: _Computed, first: int, stop: int) -> _Computed:
    return _Computed(*(panel[first:stop] for panel in computed))


def _first_difference(
    expected: _Computed, found: _Computed, bars: Bars, first_close: int, circumstance: str
) -> Violation | None:
    """The earliest difference; of those at one close, features before weights before states."""
    differences = [_differs(e, f) for e, f in zip(expected, found, strict=True)]
    closes = [int(d.any(axis=tuple(range(1, d.ndim))).argmax()) for d in differences if d.any()]
    if not closes:
        return None
    row = min(closes)
    part = next(i for i, d in enumerate(differences) if d[row].any())
    place = tuple(int(i) for i in np.argwhere(differences[part][row])[0])
    symbol = None if part == STATES else bars.symbols[place[0]]
    numbered = part in (FEATURES, STATES)
    return Violation(
        QUANTITIES[part] + (f" {place[-1]}" if numbered else ""),
        symbol,
        first_close + row,
        int(bars.close_times[first_close + row]),
        float(expected[part][(row, *place)]),
        float(found[part][(row, *place)]),
        circumstance,
    )


def _differs(expected: Floats, found: Floats) -> NDArray[np.bool_]:
    """Where the bits differ, all NaN taken as one."""
    bits = (np.ascontiguousarray(panel).view(np.int64) for panel in (expected, found))
    both_missing = np.isnan(expected) & np.isnan(found)
    return np.not_equal(*bits) & ~both_missing
