"""Which bars and closes a strategy is certified on, long or short."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stratvector.strategies.certificates.certificate import Certificate, Violation
from stratvector.strategies.certificates.checks import (
    Progress,
    check_bounded_memory,
    check_causality,
    check_enough,
    check_first_bars,
    check_repeatability,
    look_ahead_at,
)
from stratvector.strategies.certificates.computed import compute
from stratvector.strategies.certificates.panels import panel
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy


@dataclass(frozen=True)
class Effort:
    """short : closes of a panel at each of which the future is scrambled, beyond the history, and
    how many such panels. long : closes of the long panel beyond the history, bounded by `cells`
    over all symbols; windows : how many of them are computed from their window alone; scrambles :
    after how many the future is scrambled. own : closes of given bars that are looked at.
    """

    short: int
    panels: int
    long: int
    windows: int
    scrambles: int
    own: int
    cells: int = 18_000


THOROUGH = Effort(short=60, panels=3, long=5_000, windows=5_000, scrambles=24, own=1_500)
BRIEF = Effort(short=24, panels=1, long=300, windows=100, scrambles=6, own=300)


@dataclass(frozen=True)
class Trial:
    """Bars, and the closes of them at which the future is scrambled and windows are cut."""

    bars: Bars
    scrambled: Sequence[int]
    windows: Sequence[int]

    @property
    def steps(self) -> int:
        """How often `progress` is called."""
        return len(self.scrambled) + len(self.windows)


def certify(strategy: Strategy, bars: Bars | None = None, seed: int = 0) -> Certificate:
    """Check all properties at every close of `bars`.

    bars : at least history + 1 closes, gaps welcome; None takes made-up ones, see `examine`. The
    work grows with the square of their number.
    Raises TooFewCloses, BadFeatures, BadPart, and whatever the strategy itself raises.
    """
    if bars is None:
        return examine(strategy, seed=seed)
    check_enough(strategy, bars)
    return Certificate(
        strategy,
        len(bars),
        check_causality(strategy, bars, seed),
        check_bounded_memory(strategy, bars),
    )


def examine(
    strategy: Strategy,
    bars: Bars | None = None,
    seed: int = 0,
    effort: Effort = THOROUGH,
    progress: Progress | None = None,
) -> Certificate:
    """Check all properties on made-up bars through every kind of market, and on a part of `bars`.

    Short panels at every close, a long one at random closes and in every window, so that a leak
    that shows at one bar in a thousand is found. bars : whose symbols and close times the made-up
    ones have; those that are as short as the history are not looked at themselves.
    """
    trials = list(planned(strategy, bars, seed, effort))
    found = Certificate(strategy, sum(len(one.bars) for one in trials), None, None)
    repeatability = check_repeatability(strategy, trials[0].bars, seed)
    if repeatability is not None:
        return Certificate(strategy, found.closes, None, None, repeatability)
    for trial in trials:
        causality = check_causality(strategy, trial.bars, seed, trial.scrambled, progress)
        memory = check_bounded_memory(strategy, trial.bars, trial.windows, progress)
        if memory is not None and causality is None:
            causality = _look_ahead(strategy, trial.bars, memory, seed)
        if causality is not None or memory is not None:
            return Certificate(strategy, found.closes, causality, memory)
    first = check_first_bars(strategy, trials[0].bars, seed)
    return found if first is None else Certificate(strategy, found.closes, None, None, first)


def planned(
    strategy: Strategy, bars: Bars | None, seed: int, effort: Effort = THOROUGH
) -> Iterator[Trial]:
    """What `examine` looks at."""
    history = strategy.history
    for number in range(effort.panels):
        gaps = 0.0 if number % 3 == 2 else 0.1
        short = panel(history + effort.short, seed + number, gaps, bars)
        first = max(0, history - effort.short // 2)
        yield Trial(short, range(first, len(short) - 1), range(history - 1, len(short)))
    if bars is not None and len(bars) > history:
        own = bars.window(max(0, len(bars) - history - effort.own), len(bars))
        yield _drawn(own, history, seed, effort)
    if not strategy.windowed:
        # A windowed strategy is called per window anyway: a long panel would show the same again.
        symbols = len(bars.symbols) if bars is not None else 3
        closes = max(effort.short, min(effort.long, effort.cells // symbols))
        yield _drawn(
            panel(history + closes, seed + effort.panels, 0.1, bars), history, seed, effort
        )


def _drawn(bars: Bars, history: int, seed: int, effort: Effort) -> Trial:
    """Random closes of long bars, in order."""
    random = np.random.default_rng((seed, len(bars)))

    def some(first: int, count: int) -> Sequence[int]:
        closes = np.arange(first, len(bars))
        chosen = random.choice(closes, min(count, len(closes)), replace=False)
        return [int(t) for t in np.sort(chosen)]

    scrambled = [t for t in some(history - 1, effort.scrambles) if t < len(bars) - 1]
    return Trial(bars, scrambled, some(history - 1, effort.windows))


def _look_ahead(strategy: Strategy, bars: Bars, memory: Violation, seed: int) -> Violation | None:
    """Whether what a window does not reproduce is something that lies after it."""
    if memory.close >= len(bars) - 1:
        return None
    return look_ahead_at(strategy, bars, compute(strategy, bars), memory.close, seed)
