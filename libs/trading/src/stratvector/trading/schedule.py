"""A portfolio's schedule: the distinct close times of its universes, merged.

Several universes may close at one instant; the flow then has one step, in which all of them close.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stratvector.trading.timestamps import Nanoseconds, day_numbers, utc_text


class BadSchedule(ValueError):
    """A schedule that cannot be, or a question that it cannot answer.

    BadSchedule(ValueError)
    ├── UnorderedUniverse   a universe's close times do not strictly increase
    ├── UnscheduledClose    a time at which no universe closes
    └── UnknownUniverse     a universe that is not on the schedule
    """


class UnorderedUniverse(BadSchedule):
    """A universe's close times do not strictly increase."""

    def __init__(self, universe: str) -> None:
        self.universe = universe
        super().__init__(
            f"close times of universe {universe!r} must be int64 and strictly increase"
        )


class UnscheduledClose(BadSchedule):
    """A time at which no universe closes."""

    def __init__(self, close_time: int) -> None:
        self.close_time = close_time
        super().__init__(f"no universe of the schedule closes at {utc_text(close_time)}")


class UnknownUniverse(BadSchedule):
    """A universe that is not on the schedule."""

    def __init__(self, universe: str, present: tuple[str, ...]) -> None:
        self.universe, self.present = universe, present
        super().__init__(
            f"universe {universe!r} is not on the schedule: there are {', '.join(present)}"
        )


@dataclass(frozen=True, eq=False)
class Schedule:
    """Distinct close times of several universes, and who closes when.

    close_times : int64 UTC ns, shape (T,), strictly increasing.
    universes : U names, in the portfolio's order.
    closes : bool, shape (T, U); at least one universe closes in each row.
    """

    close_times: Nanoseconds
    universes: tuple[str, ...]
    closes: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of distinct close times."""
        return len(self.close_times)

    def __repr__(self) -> str:
        return f"Schedule({len(self):,} closes of {', '.join(self.universes)})"

    @property
    def days(self) -> Nanoseconds:
        """UTC date of each close in days since 1970-01-01, shape (T,); midnight is the new day."""
        return day_numbers(self.close_times)

    def index(self, close_time: int) -> int:
        """Row of a close time. Raises UnscheduledClose."""
        row = int(np.searchsorted(self.close_times, close_time))
        if row == len(self) or self.close_times[row] != close_time:
            raise UnscheduledClose(close_time)
        return row

    def universes_at(self, index: int) -> tuple[str, ...]:
        """The universes that close at a row, in the portfolio's order."""
        return tuple(
            self.universes[column] for column in np.flatnonzero(self.closes[index]).tolist()
        )

    def closes_of(self, universe: str) -> Nanoseconds:
        """Close times of one universe. Raises UnknownUniverse."""
        return self.close_times[self.closes[:, self._column(universe)]]

    def next_close(self, universe: str, after: int) -> int | None:
        """First close of a universe strictly after a time (UTC ns), None when there is none."""
        first = int(np.searchsorted(self.close_times, after, side="right"))
        closing = self.closes[first:, self._column(universe)]
        step = int(np.argmax(closing)) if closing.size else 0
        if not closing.size or not closing[step]:
            return None
        return int(self.close_times[first + step])

    def between(self, start: int, end: int) -> "Schedule":
        """The closes in start ≤ t ≤ end (UTC ns), of the same universes."""
        first = int(np.searchsorted(self.close_times, start, side="left"))
        stop = int(np.searchsorted(self.close_times, end, side="right"))
        rows = slice(first, max(first, stop))
        return Schedule(self.close_times[rows], self.universes, self.closes[rows])

    def _column(self, universe: str) -> int:
        if universe not in self.universes:
            raise UnknownUniverse(universe, self.universes)
        return self.universes.index(universe)


def merge(close_times: Mapping[str, Nanoseconds]) -> Schedule:
    """Merge each universe's close times (int64 UTC ns, strictly increasing) into one schedule.

    Universes keep the mapping's order. Raises UnorderedUniverse.
    """
    for universe, own in close_times.items():
        if own.dtype != np.int64 or own.ndim != 1 or (own[1:] <= own[:-1]).any():
            raise UnorderedUniverse(universe)
    merged = _merged(list(close_times.values()))
    closes = np.zeros((len(merged), len(close_times)), dtype=np.bool_)
    for column, own in enumerate(close_times.values()):
        closes[np.searchsorted(merged, own), column] = True
    return Schedule(merged, tuple(close_times), closes)


def _merged(series: list[Nanoseconds]) -> Nanoseconds:
    """All times in order, each once."""
    if len(series) == 1:
        return series[0]
    times = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *series]))
    first = np.diff(times, prepend=times[:1] - 1) != 0
    return np.asarray(times[first], dtype=np.int64)
