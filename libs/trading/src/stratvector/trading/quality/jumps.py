"""Jumps between consecutive closes: those like a split that nobody worked in, and outliers.

What is usual is measured by the median absolute deviation of log returns, which jumps themselves
hardly move: over all bars, and over those around the jump, as volatility comes in clusters. A jump
is held for news, and not told, when the value traded in its bar is a multiple of what was traded
before: an earnings day is no flaw of the data.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from stratvector.trading.columns import Values
from stratvector.trading.timestamps import Nanoseconds

OUTLIER_SIGMAS = 10.0
_SPLIT_SIGMAS_MIN = 6.0
# A normal distribution's standard deviation over its median absolute deviation.
_SIGMA_PER_DEVIATION = 1.4826
# A split day's own return: within these of the ratio.
_NEAR_SIGMAS, _NEAR_MIN, _NEAR_MAX = 4.0, 0.02, 0.12
_NEWS_VALUE_RATIO = 2.0
_VALUE_BARS = 20
_AROUND_BARS = 50
_RETURNS_MIN = 10
_UNDONE = 0.25

RATIOS = (
    *((count, 1) for count in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 100, 1000)),
    *((3, 2), (4, 3), (5, 2), (5, 3), (5, 4), (7, 2)),
)
"""New for old shares of splits; the other way round they are reverse splits."""
_ALL = (*RATIOS, *((old, new) for new, old in RATIOS))
_LOGS = np.log(np.array([old / new for new, old in _ALL]))
_BIG, _LEAST = np.log(2.0), np.log(1.2)


@dataclass(frozen=True, eq=False)
class Jumps:
    """Closes (int64 UTC ns) with a jump into them, the closes around, and what they look like.

    splits, outliers : close times. split_closes, outlier_closes : shape (n, 2), price per unit
    before and after. ratios : (new, old) shares of each split, the nearest of `RATIOS`.
    """

    splits: Nanoseconds
    split_closes: Values
    ratios: tuple[tuple[int, int], ...]
    outliers: Nanoseconds
    outlier_closes: Values

    @classmethod
    def none(cls) -> Self:
        """No jump."""
        times, closes = np.zeros(0, dtype=np.int64), np.zeros((0, 2))
        return cls(times, closes, (), times, closes)


def find_jumps(times: Nanoseconds, opens: Values, closes: Values, volumes: Values) -> Jumps:
    """The jumps of one symbol's bars, shape (n_bars,) each, without missing ones."""
    if len(closes) < 2:
        return Jumps.none()
    logs = np.log(closes)
    returns = np.diff(logs)
    distance = np.abs(returns - float(np.median(returns)))
    sigma = _SIGMA_PER_DEVIATION * float(np.median(distance))
    rows = np.flatnonzero((distance > _SPLIT_SIGMAS_MIN * sigma) & (np.abs(returns) > _LEAST))
    overnight = np.log(opens[1:]) - logs[:-1]
    splits, ratios = [], []
    for row in rows.tolist():
        near = int(np.argmin(np.abs(_LOGS - returns[row])))
        if _is_split(returns, overnight, closes, volumes, row, near, sigma):
            splits.append(row)
            ratios.append(_ALL[near])
    far = distance > OUTLIER_SIGMAS * sigma
    far[splits] = False
    # Of a few returns, or of prices that hardly ever move, none is usual.
    known = sigma > 0.0 and len(returns) >= _RETURNS_MIN
    outliers = [
        row
        for row in (np.flatnonzero(far).tolist() if known else ())
        if distance[row] > OUTLIER_SIGMAS * _sigma_around(distance, row)
        and (_is_undone(returns, row) or not _is_news(closes, volumes, row))
    ]
    pairs = np.stack([closes[:-1], closes[1:]], axis=1)
    found = times[1:][splits], pairs[splits], tuple(ratios)
    return Jumps(*found, times[1:][outliers], pairs[outliers])


def _sigma_around(distance: Values, row: int) -> float:
    """The usual deviation before or after a jump, the larger of both."""
    sides = distance[max(row - _AROUND_BARS, 0) : row + 1], distance[row : row + _AROUND_BARS + 1]
    return _SIGMA_PER_DEVIATION * max(float(np.median(side)) for side in sides)


def _is_split(
    returns: Values,
    overnight: Values,
    closes: Values,
    volumes: Values,
    row: int,
    near: int,
    sigma: float,
) -> bool:
    """Whether a jump lies near a ratio, lasts, and is not explained by news.

    A price that doubles or halves needs no more; less, which news can do, must also have happened
    between the bars, on no more than the usual value traded.
    """
    tolerance = min(max(_NEAR_SIGMAS * sigma, _NEAR_MIN), _NEAR_MAX)
    if abs(returns[row] - _LOGS[near]) > tolerance or _is_undone(returns, row):
        return False
    if abs(returns[row]) >= _BIG - tolerance:
        return True
    return bool(abs(overnight[row] - _LOGS[near]) <= tolerance) and not _is_news(
        closes, volumes, row
    )


def _is_undone(returns: Values, row: int) -> bool:
    """Whether the return before or after takes a jump back, as a wrong price does."""
    around = returns[max(row - 1, 0) : row + 2]
    return bool((np.abs(around + returns[row]) < _UNDONE * abs(returns[row])).any())


def _is_news(closes: Values, volumes: Values, row: int) -> bool:
    """Whether the value traded in the bar after a jump is a multiple of the usual one."""
    after = row + 1
    before = slice(max(after - _VALUE_BARS, 0), after)
    usual = float(np.median(closes[before] * volumes[before]))
    traded = float(closes[after] * volumes[after])
    return traded > _NEWS_VALUE_RATIO * usual > 0.0
