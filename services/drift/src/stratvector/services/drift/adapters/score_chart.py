"""score_chart: a model's scores over time as a small SVG, without a script."""

import math
from collections.abc import Iterator, Sequence

from stratvector.drift import DriftRules
from stratvector.trading.timestamps import utc_text

WIDTH, HEIGHT = 640, 96
Point = tuple[int, float]


def score_chart(history: Sequence[Point], rules: DriftRules) -> str:
    """The chart of (close ns, score) points in time order; gaps where a score is NaN.

    Empty when fewer than two points have a score.
    """
    known = [point for point in history if not math.isnan(point[1])]
    if len(known) < 2:
        return ""
    first, last = history[0][0], history[-1][0]
    lines = "".join(
        f'<line class="{name}" x1="0" x2="{WIDTH}" y1="{_y(level)}" y2="{_y(level)}"/>'
        for name, level in (("warning", rules.warning), ("critical", rules.critical))
    )
    drawn = "".join(
        f'<polyline points="{" ".join(_place(point, first, last) for point in run)}"/>'
        for run in _runs(history)
    )
    told = f"Score from {utc_text(first)} to {utc_text(last)}, newest {known[-1][1]:.2f}"
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f"<title>{told}</title>{lines}{drawn}</svg>"
    )


def _runs(history: Sequence[Point]) -> Iterator[list[Point]]:
    """Stretches of points that have a score."""
    run: list[Point] = []
    for point in history:
        if math.isnan(point[1]):
            if run:
                yield run
            run = []
        else:
            run.append(point)
    if run:
        yield run


def _place(point: Point, first: int, last: int) -> str:
    close_time, score = point
    return f"{WIDTH * (close_time - first) / max(last - first, 1):.1f},{_y(score)}"


def _y(score: float) -> str:
    return f"{HEIGHT - 2 - (HEIGHT - 4) * score:.1f}"
