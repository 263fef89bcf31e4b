"""One model, watched close by close: asked at any of them how far it has moved."""

import math
from dataclasses import dataclass

from stratvector.drift.features import feature_drifts
from stratvector.drift.model_drift import ModelDrift
from stratvector.drift.model_series import ModelSeries, SeriesState
from stratvector.drift.rules import DriftRules
from stratvector.drift.split_series import SplitSeries, SplitState
from stratvector.trading.bars import ClosedBars
from stratvector.trading.signals import Signals


@dataclass(frozen=True)
class WatchState:
    """A watch as it is at a close, ns UTC. series : of the model's book. returns, signals : the
    values that came out of it.
    """

    close_time: int
    series: SeriesState
    returns: SplitState
    signals: SplitState


class ModelWatch:
    """The fold of a model's closed bars and signals; a function of them alone, in bounded memory.

    symbols : of the model's universe, in its order. close_time : of the newest close taken, ns UTC,
    0 before the first. kept : values in memory.
    """

    def __init__(self, model: str, symbols: tuple[str, ...], rules: DriftRules) -> None:
        self.model, self.close_time, self.symbols = model, 0, symbols
        self._rules = rules
        self._series = ModelSeries(symbols)
        self._returns, self._signals = self._new_series(), self._new_series()

    @property
    def kept(self) -> int:
        """At most twice reference_closes + window_closes."""
        return self._returns.kept + self._signals.kept

    @property
    def state(self) -> WatchState:
        """What `resume` goes on from."""
        return WatchState(
            self.close_time, self._series.state, self._returns.state, self._signals.state
        )

    def resume(self, state: WatchState) -> None:
        """Go on from another watch's state, of the same model and rules."""
        self.close_time = state.close_time
        self._series.resume(state.series)
        self._returns.resume(state.returns)
        self._signals.resume(state.signals)

    def begin_with(self, series: SeriesState) -> None:
        """Begin with a book in the middle of its life, whose values before are not to be had."""
        self._series.resume(series)

    def go_on_over(self, symbols: tuple[str, ...], closing: tuple[str, ...] = ()) -> None:
        """Go on with a model whose universe has other symbols; the same ones change nothing.
        closing : those of them that are wanted no more.
        """
        if symbols != self.symbols:
            self.symbols = symbols
            self._series.go_on_over(symbols)
        self._series.close(closing)

    def begin_anew(self) -> None:
        """Go on with a new version of the model, whose returns and signals are compared with its
        own beginning alone; what is held goes on until it says something else.
        """
        self._series.begin_anew()
        self._returns, self._signals = self._new_series(), self._new_series()

    def _new_series(self) -> SplitSeries:
        return SplitSeries(self._rules.reference_closes, self._rules.window_closes)

    def take(self, bars: ClosedBars, signals: Signals | None) -> None:
        """Take the next close of the model's universe. signals : None where the close was decided
        without them. Raises OtherRows.
        """
        values = self._series.take(bars, signals)
        self.close_time = bars.close_time
        if values.returns is not None:
            self._returns.append(bars.close_time, values.returns)
        if values.signals is not None:
            self._signals.append(bars.close_time, values.signals)

    def take_late(self, bars: ClosedBars) -> None:
        """Take a close whose bars came after it, so that nothing was decided on it: what the model
        held goes on, and what it would have said is not counted.
        """
        returned = self._series.take_late(bars)
        self.close_time = bars.close_time
        if returned is not None:
            self._returns.append(bars.close_time, returned)

    def drift(self) -> ModelDrift:
        """Where the model stands at its newest close."""
        features = feature_drifts(self._returns, self._signals, self._rules.bins)
        scores = [one.score for one in features if not one.lack]
        reason = "" if scores else "; ".join(dict.fromkeys(one.lack for one in features))
        score = max(scores, default=math.nan)
        return ModelDrift(self.model, self.close_time, score, reason, features)
