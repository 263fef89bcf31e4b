"""Pauses between closes that a panel's own rhythm does not explain, where no calendar tells.

Markets pause at night and at weekends, so the usual pauses are read off the closes: the one that
comes about weekly, and the one that comes about daily. Holidays lengthen the weekly one by days and
are no hole; what is longer still is.
"""

import numpy as np
import numpy.typing as npt

from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds

HOLIDAYS_DAYS = 4.0
_WEEKS_MIN = 2
_RARE_SHARE = 0.02


def irregular_pauses(close_times: Nanoseconds) -> Nanoseconds:
    """The closes around each irregular pause, shape (n, 2).

    close_times : int64 UTC ns, strictly increasing. Fewer than three bars, or less than two weeks
    of them, show no rhythm, and nothing is found.
    """
    lengths = np.diff(close_times)
    nothing = close_times[:0].reshape(0, 2)
    if len(lengths) < 2:
        return nothing
    days = float(close_times[-1] - close_times[0]) / NANOSECONDS_PER_DAY
    ordered = np.sort(lengths)[::-1]
    step = float(np.median(lengths))
    if days < 7 * _WEEKS_MIN and step < NANOSECONDS_PER_DAY:
        return nothing
    weekly = _recurring(ordered, days / 14)
    if weekly < 1.5 * step or step > 3 * NANOSECONDS_PER_DAY:
        # Around the clock, or bars of a week and more: every pause is one bar long, roughly.
        odd = lengths >= (1.9 if step <= NANOSECONDS_PER_DAY else 1.5) * step
    else:
        odd = lengths > weekly + HOLIDAYS_DAYS * NANOSECONDS_PER_DAY
        odd |= _inside_sessions(lengths, ordered, step, days)
    rows = np.flatnonzero(odd)
    return np.stack([close_times[rows], close_times[rows + 1]], axis=1) if rows.size else nothing


def _recurring(ordered: Nanoseconds, times: float) -> float:
    """The shortest of the `times` longest pauses."""
    return float(ordered[min(max(int(times), 1), len(ordered)) - 1])


def _inside_sessions(
    lengths: Nanoseconds, ordered: Nanoseconds, step: float, days: float
) -> npt.NDArray[np.bool_]:
    """Rare pauses of several bars that are shorter than a night."""
    night = _recurring(ordered, days / 3)
    inside = (lengths >= 1.9 * step) & (lengths < 0.9 * night)
    rare = np.zeros(len(lengths), dtype=np.bool_)
    for length in np.unique(lengths[inside]):
        alike = lengths == length
        rare |= alike & (alike.sum() <= max(_RARE_SHARE * days, 1.0))
    return inside & rare
