"""The newest score of each model and those before it, as whoever asks may read them.

Written by the event loop, read by the threads of the HTTP port: what is read is never changed, only
replaced.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stratvector.drift import ModelDrift
from stratvector.runtime.served import PortfolioRun

HISTORY_MAX = 2_000  # scores that the report draws: more than a year at four a day


@dataclass(frozen=True)
class ModelRecord:
    """One model. drift : the newest check, None before the first. history : (close ns, score)."""

    model: str
    drift: ModelDrift | None = None
    history: tuple[tuple[int, float], ...] = ()

    @property
    def score(self) -> float:
        """The newest score, NaN when there is none."""
        return math.nan if self.drift is None else self.drift.score


class Board:
    """The records of all models, in config order; those of removed ones stay. checks : of one model
    each, on the schedule.
    """

    def __init__(self, models: Iterable[str] = ()) -> None:
        self._records = {model: ModelRecord(model) for model in models}
        self.checks = 0

    def add(self, model: str) -> None:
        """One more model; records are replaced at once, as threads may read them."""
        self._records = {**self._records, model: ModelRecord(model)}

    def records(self) -> tuple[ModelRecord, ...]:
        """Every model as it is now."""
        return tuple(self._records.values())

    def record(self, model: str) -> ModelRecord:
        """One model. Raises KeyError."""
        return self._records[model]

    def resume(self, records: Sequence[ModelRecord], checks: int) -> None:
        """Go on from another board's, of the same models."""
        self._records = {record.model: record for record in records}
        self.checks = checks

    def put(self, drift: ModelDrift) -> None:
        """Take what a check of the schedule found."""
        before = self._records[drift.model]
        history = (*before.history, (drift.close_time, drift.score))[-HISTORY_MAX:]
        self._records[drift.model] = replace(before, drift=drift, history=history)
        self.checks += 1


Boards = Sequence[tuple[PortfolioRun, Board]]
