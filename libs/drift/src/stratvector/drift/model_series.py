"""A model's own returns and signals, from its published weights and the bars of its universe.

    return(t) = Σ_s w_s(t−1) · (mark_s(t) / mark_s(t−1) − 1)

as a fraction of the model's budget, before limits and costs: what the model said in time, not what
the account did with it. A mark is the last known close, so a missing bar adds nothing at its
close, and the next one adds the whole way. A weight that is NaN, or late, keeps the one before,
for as many closes as the engine does, then it is 0.

A close at which every weight held was 0 has no return: those zeros say that the model was out,
which is the signals' affair, and would drown the distribution of what it earns while it is in.
Neither has one at which no held symbol had a bar. A close whose bars came after it has a return of
what was held, and no signal.

The signal of a close is the net weight, Σ_s w_s(t), rounded to 1e-9 as weights are. It shows when
the model changes its side, its size or the time that it is invested; a hedged book's size it does
not show. No value is taken while the model warms up.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.engine.weights import KEPT_CLOSES_MAX, WEIGHT_MAX
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import OtherRows

WEIGHT_DIGITS: Final = 9


@dataclass(frozen=True)
class ModelValues:
    """What one close adds. returns : None when there is none. signals : None while warming up."""

    returns: float | None
    signals: float | None


@dataclass(frozen=True)
class SeriesState:
    """The fold as it is. marks, held, missing : by symbol: the last close, the weight held, and for
    how many closes it was kept. warm : whether the model has said anything.
    """

    marks: tuple[float, ...]
    held: tuple[float, ...]
    missing: tuple[int, ...]
    warm: bool


class ModelSeries:
    """The fold over one model's closes, in order."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._symbols = symbols
        self._marks = [math.nan] * len(symbols)
        self._held = [0.0] * len(symbols)
        self._missing = [0] * len(symbols)
        self._warm = False
        self._closing = frozenset[str]()

    @property
    def state(self) -> SeriesState:
        """What `resume` goes on from."""
        return SeriesState(tuple(self._marks), tuple(self._held), tuple(self._missing), self._warm)

    def resume(self, state: SeriesState) -> None:
        """Go on from another fold's state, of the same symbols."""
        self._marks, self._held = list(state.marks), list(state.held)
        self._missing, self._warm = list(state.missing), state.warm
        self.close(self._closing)

    def close(self, symbols: Collection[str]) -> None:
        """From now on these are wanted no more: whatever the model says of them is nothing."""
        self._closing = frozenset(symbols)
        pairs = zip(self._symbols, self._held, strict=True)
        self._held = [0.0 if symbol in self._closing else held for symbol, held in pairs]

    def go_on_over(self, symbols: tuple[str, ...]) -> None:
        """The model begins anew over other symbols: what is held of those that stay goes on."""
        places = {symbol: place for place, symbol in enumerate(self._symbols)}
        known = [places.get(symbol) for symbol in symbols]
        self._marks = [math.nan if place is None else self._marks[place] for place in known]
        self._held = [0.0 if place is None else self._held[place] for place in known]
        self._missing = [0 if place is None else self._missing[place] for place in known]
        self._symbols, self._warm = symbols, False

    def begin_anew(self) -> None:
        """A new version of the model warms up; what is held of the one before goes on."""
        self._warm = False

    def take(self, bars: ClosedBars, signals: Signals | None) -> ModelValues:
        """Fold one close. signals : None when they are late. Raises OtherRows when the rows are not
        of the universe's symbols.
        """
        rows = () if signals is None else signals.rows
        symbols = tuple(row.symbol for row in rows)
        if signals is not None and symbols != self._symbols:
            raise OtherRows(signals.model, self._symbols, symbols)
        returned = self._mark(bars)
        self._hold([row.weight for row in rows] or [math.nan] * len(self._symbols))
        if not self._warm:
            self._warm = any(row.reason is not SignalReason.WARMING_UP for row in rows)
        net = round(sum(self._held), WEIGHT_DIGITS) + 0.0  # one zero, not two
        return ModelValues(returned, net if self._warm else None)

    def take_late(self, bars: ClosedBars) -> float | None:
        """Fold a close whose bars came after it: the return of what is held, which stays so."""
        return self._mark(bars)

    def _mark(self, bars: ClosedBars) -> float | None:
        """The return of the weights that were held up to here."""
        total, there = 0.0, False
        for place, close in enumerate(np.asarray(bars.close).tolist()):
            if close != close:
                continue
            mark, weight = self._marks[place], self._held[place]
            if weight != 0.0 and mark == mark:
                total += weight * (close / mark - 1.0)
                there = True
            self._marks[place] = close
        return total if there else None

    def _hold(self, weights: Sequence[float]) -> None:
        for place, (symbol, said) in enumerate(zip(self._symbols, weights, strict=True)):
            weight = 0.0 if symbol in self._closing else said
            if abs(weight) < WEIGHT_MAX:
                self._held[place], self._missing[place] = weight, 0
                continue
            self._missing[place] += 1
            if self._missing[place] > KEPT_CLOSES_MAX:
                self._held[place] = 0.0
