"""One model, watched close by close: asked at any of them how far it has moved."""

import math

from stratvector.drift.features import feature_drifts
from stratvector.drift.model_drift import ModelDrift
from stratvector.drift.model_series import ModelSeries
from stratvector.drift.rules import DriftRules
from stratvector.drift.split_series import SplitSeries
from stratvector.trading.bars import ClosedBars
from stratvector.trading.signals import Signals


class ModelWatch:
    """The fold of a model's closed bars and signals; a function of them alone, in bounded memory.

    symbols : of the model's universe, in its order. close_time : of the newest close taken, ns UTC,
    0 before the first. kept : values in memory.
    """

    def __init__(self, model: str, symbols: tuple[str, ...], rules: DriftRules) -> None:
        self.model, self.close_time = model, 0
        self._bins = rules.bins
        self._series = ModelSeries(symbols)
        self._returns = SplitSeries(rules.reference_closes, rules.window_closes)
        self._signals = SplitSeries(rules.reference_closes, rules.window_closes)

    @property
    def kept(self) -> int:
        """At most twice reference_closes + window_closes."""
        return self._returns.kept + self._signals.kept

    def take(self, bars: ClosedBars, signals: Signals) -> None:
        """Take the next close of the model's universe. Raises OtherRows."""
        values = self._series.take(bars, signals)
        self.close_time = bars.close_time
        if values.returns is not None:
            self._returns.append(bars.close_time, values.returns)
        if values.signals is not None:
            self._signals.append(bars.close_time, values.signals)

    def drift(self) -> ModelDrift:
        """Where the model stands at its newest close."""
        features = feature_drifts(self._returns, self._signals, self._bins)
        scores = [one.score for one in features if not one.lack]
        reason = "" if scores else "; ".join(dict.fromkeys(one.lack for one in features))
        score = max(scores, default=math.nan)
        return ModelDrift(self.model, self.close_time, score, reason, features)
