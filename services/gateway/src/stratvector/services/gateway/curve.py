"""curve: an account's value over time in bounded memory, with its falls from the peak."""

import math
from dataclasses import dataclass

POINTS_MAX = 1_000


@dataclass(frozen=True)
class Point:
    """The end of a stretch of closes.

    close_time : of its last close, ns UTC. value : there, base currency. drawdown : the deepest of
    the stretch, fraction of the peak before it, 0 or below.
    """

    close_time: int
    value: float
    drawdown: float


@dataclass(frozen=True)
class CurveState:
    """A curve as it is. in_last : closes in the newest point."""

    start: float
    value: float
    peak: float
    drawdown: float
    max_drawdown: float
    closes: int
    points: tuple[Point, ...]
    closes_per_point: int
    in_last: int


class Curve:
    """Closes in order; neighbours are merged in pairs when there are more than `POINTS_MAX`.

    start : the value before the first close, base currency, above 0. drawdown : at the newest
    close, max_drawdown : the deepest; fractions, 0 or below.
    """

    def __init__(self, start: float) -> None:
        self.start = self.value = self._peak = start
        self.drawdown = self.max_drawdown = 0.0
        self.closes = 0
        self._points: list[Point] = []
        self._closes_per_point = 1
        self._in_last = 0

    @property
    def state(self) -> CurveState:
        """What `resume` goes on from."""
        return CurveState(
            self.start,
            self.value,
            self._peak,
            self.drawdown,
            self.max_drawdown,
            self.closes,
            tuple(self._points),
            self._closes_per_point,
            self._in_last,
        )

    def resume(self, state: CurveState) -> None:
        """Go on from another curve's state."""
        self.start, self.value, self._peak = state.start, state.value, state.peak
        self.drawdown, self.max_drawdown = state.drawdown, state.max_drawdown
        self.closes, self._points = state.closes, list(state.points)
        self._closes_per_point, self._in_last = state.closes_per_point, state.in_last

    def begin_at(self, value: float, peak: float) -> None:
        """Begin in the middle of a life, of which the value and its peak are known, and no more."""
        self.value, self._peak = value, peak
        self.drawdown = self.max_drawdown = value / peak - 1.0

    def append(self, close_time: int, value: float) -> None:
        """The next close; a value that is no number is left out."""
        if not math.isfinite(value):
            return
        self.closes += 1
        self.value = value
        self._peak = max(self._peak, value)
        self.drawdown = value / self._peak - 1.0
        self.max_drawdown = min(self.max_drawdown, self.drawdown)
        self._add(Point(close_time, value, self.drawdown))

    def points(self) -> list[Point]:
        """At most `POINTS_MAX`, in order; the last one is the newest close."""
        return list(self._points)

    def _add(self, point: Point) -> None:
        if 0 < self._in_last < self._closes_per_point:
            self._points[-1] = _merged(self._points[-1], point)
            self._in_last += 1
            return
        if len(self._points) == POINTS_MAX:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_merged(one, other) for one, other in pairs]
            self._closes_per_point *= 2
        self._points.append(point)
        self._in_last = 1


def _merged(one: Point, later: Point) -> Point:
    return Point(later.close_time, later.value, min(one.drawdown, later.drawdown))
