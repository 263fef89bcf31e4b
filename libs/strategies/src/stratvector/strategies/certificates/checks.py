"""The properties that every strategy must have, on the closes that one asks about.

Causality: whatever the bars after close t are, nothing up to t changes.
Bounded memory: the last `history` closes, with the state before them, give what the whole history
gives, so that live (one window at a time) and backtest (all rows at once) decide alike.
Repeatability: the same bars give the same numbers, whatever was computed before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

import numpy as np

from stratvector.strategies.bad_strategy import TooFewCloses
from stratvector.strategies.certificates.certificate import Violation
from stratvector.strategies.certificates.computed import (
    Computed,
    compute,
    compute_last,
    first_difference,
    rows,
)
from stratvector.strategies.certificates.panels import panel
from stratvector.strategies.certificates.scrambles import SCRAMBLES, others
from stratvector.strategies.strategy_files import file_of
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy

Progress = Callable[[], None]
SEEDS = 3  # of each scramble, where one close is looked at closely


def check_causality(
    strategy: Strategy,
    bars: Bars,
    seed: int = 0,
    closes: Iterable[int] | None = None,
    progress: Progress | None = None,
) -> Violation | None:
    """The first number that changes when the bars after some close do; None when there is none.

    For each close t, values, gaps and volume after t are replaced by random ones (of `seed`), and
    by one other scramble in turn. closes : the t that are tried, every one by default.
    """
    check_enough(strategy, bars)
    actual = compute(strategy, bars)
    kinds = list(SCRAMBLES)
    for t in range(len(bars) - 1) if closes is None else closes:
        for kind in (kinds[0], kinds[1 + t % (len(kinds) - 1)]):
            if (found := _changed(strategy, bars, actual, t, kind, seed)) is not None:
                return found
        if progress is not None:
            progress()
    return None


def look_ahead_at(
    strategy: Strategy, bars: Bars, actual: Computed, t: int, seed: int
) -> Violation | None:
    """What changes up to close t by any scramble of what comes after it, None if nothing does."""
    for number in range(SEEDS):
        for kind in SCRAMBLES:
            found = _changed(strategy, bars, actual, t, kind, seed + number)
            if found is not None:
                return found
    return None


def _changed(
    strategy: Strategy, bars: Bars, actual: Computed, t: int, kind: str, seed: int
) -> Violation | None:
    after = SCRAMBLES[kind](bars, t, seed)
    if len(after) < min(strategy.history, len(bars)):
        return None  # fewer closes than one row needs: nothing is promised of them
    other = compute(strategy, after)
    known = rows(actual, 0, t + 1), rows(other, 0, t + 1)
    return first_difference(*known, bars, 0, kind.format(t=t))


def check_bounded_memory(
    strategy: Strategy,
    bars: Bars,
    closes: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Violation | None:
    """The first number that its window does not reproduce; None when there is none.

    For each close t, the strategy sees the last `history` closes alone, continuing from the state
    after t - 1. Rows before `history` - 1 must be NaN. closes : the t that are tried.
    """
    check_enough(strategy, bars)
    history = strategy.history
    actual = compute(strategy, bars)
    early = rows(actual, 0, history - 1)
    blank = early._replace(features=np.full_like(early.features, np.nan))
    circumstance = f"though the strategy says that it needs {history} closes"
    found = first_difference(blank, early, bars, 0, circumstance)
    start = strategy.initial_state(len(bars.symbols))
    for t in range(history - 1, len(bars)) if closes is None else closes:
        if found is not None:
            break
        state = actual.states[t - 1] if t >= history else start
        window = compute_last(strategy, bars.window(t - history + 1, t + 1), state)
        circumstance = f"over its last {history} closes alone"
        found = first_difference(rows(actual, t, t + 1), window, bars, t, circumstance)
        if progress is not None:
            progress()
    return found


def check_repeatability(strategy: Strategy, bars: Bars, seed: int = 0) -> Violation | None:
    """The first number that is another when the same bars come again; None when there is none.

    Between both times the strategy sees other bars at the same closes: what it keeps of them
    outside its state shows.
    """
    check_enough(strategy, bars)
    actual = compute(strategy, bars)
    for circumstance, other in (
        ("when it is asked again", bars),
        ("when it has seen other bars between", others(bars, 0, seed)),
        ("when it has seen more bars between", panel(2 * len(bars), seed, like=bars)),
    ):
        if other is not bars:
            compute(strategy, other)
        found = first_difference(actual, compute(strategy, bars), bars, 0, circumstance)
        if found is not None:
            return found
    return None


def check_first_bars(strategy: Strategy, bars: Bars, seed: int = 0) -> Violation | None:
    """What a strategy of a file keeps of the first bars that it ever sees; None when it does not.

    Its file is loaded anew, so that it has seen nothing, and meets other bars first. A strategy
    that looks ahead fails here too: ask `check_causality` before.
    """
    t = (strategy.history + len(bars)) // 2
    if (first := _anew(strategy)) is None or (second := _anew(strategy)) is None:
        return None
    both = compute(first, bars), compute(second, others(bars, t, seed))
    known = [rows(one, 0, t + 1) for one in both]
    return first_difference(
        known[0], known[1], bars, 0, f"when the first bars it sees differ after close {t}"
    )


def _anew(strategy: Strategy) -> Strategy | None:
    """The same strategy of its file loaded once more; None where it is of no file."""
    if (file := file_of(type(strategy))) is None:
        return None
    kind = file.anew(type(strategy).__name__)
    values = {f.name: getattr(strategy, f.name) for f in fields(strategy) if f.init}
    return kind(**values)


def check_enough(strategy: Strategy, bars: Bars) -> None:
    """Raises TooFewCloses."""
    if len(bars) <= strategy.history:
        raise TooFewCloses(strategy.name, len(bars), strategy.history + 1)
