"""A growing series as two samples of bounded size: its reference and its window."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from stratvector.drift.model_drift import Span
from stratvector.drift.samples import Values


@dataclass(frozen=True)
class Sample:
    """Values in time order, shape (n,), and where they come from."""

    values: Values
    span: Span


@dataclass(frozen=True)
class SplitState:
    """A series as it is. first, last : pairs of close (ns UTC) and value. count : of all values."""

    first: tuple[tuple[int, float], ...]
    last: tuple[tuple[int, float], ...]
    count: int


class SplitSeries:
    """Keeps the first values and the last ones; what lies between is forgotten.

    The reference is the first `reference_max` values, and the window the last `window_max` of those
    after it. While there are fewer than twice `reference_max`, the reference is the first half: a
    young model is compared with its own beginning, and each value is in one sample only.
    """

    def __init__(self, reference_max: int, window_max: int) -> None:
        self._reference_max, self._window_max = reference_max, window_max
        self._first: list[tuple[int, float]] = []
        self._last: deque[tuple[int, float]] = deque(maxlen=window_max)
        self._count = 0

    def __len__(self) -> int:
        """How many values there ever were."""
        return self._count

    @property
    def kept(self) -> int:
        """How many values are in memory."""
        return len(self._first) + len(self._last)

    @property
    def state(self) -> SplitState:
        """What `resume` goes on from."""
        return SplitState(tuple(self._first), tuple(self._last), self._count)

    def resume(self, state: SplitState) -> None:
        """Go on from another series' state, of the same sizes."""
        self._first, self._count = list(state.first), state.count
        self._last = deque(state.last, maxlen=self._last.maxlen)

    def append(self, close_time: int, value: float) -> None:
        """Take the value of a close (ns UTC)."""
        if len(self._first) < self._reference_max:
            self._first.append((close_time, value))
        self._last.append((close_time, value))
        self._count += 1

    def split(self) -> tuple[Sample, Sample]:
        """Reference and window as they are now."""
        reference = min(self._reference_max, self._count // 2)
        window = min(self._window_max, self._count - reference)
        newest = list(self._last)[len(self._last) - window :]
        return _sample(self._first[:reference]), _sample(newest)


def _sample(pairs: list[tuple[int, float]]) -> Sample:
    values = np.array([value for _, value in pairs], dtype=np.float64)
    if not pairs:
        return Sample(values, Span(0, 0, 0))
    return Sample(values, Span(pairs[0][0], pairs[-1][0], len(pairs)))
