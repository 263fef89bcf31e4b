"""Data quality: what is missing, silent or suspicious in bars that lie on a schedule."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stratvector.trading.bars import Bars
from stratvector.trading.columns import Values
from stratvector.trading.timestamps import Nanoseconds

OUTLIER_SIGMAS = 10.0
# A normal distribution's standard deviation over its median absolute deviation.
_SIGMA_PER_DEVIATION = 1.4826


@dataclass(frozen=True, eq=False)
class SymbolQuality:
    """One symbol's bars on the schedule. All times are int64 UTC ns.

    first, last : its first and last bar, None when it has none.
    missing : scheduled closes from first to last without a bar.
    gaps : the runs of missing closes, shape (n_gaps, 2): first and last missing close of each.
    before, after : scheduled closes before the first and after the last bar.
    zero_volume : closes of bars in which nothing traded.
    outliers : closes whose log return lies more than `OUTLIER_SIGMAS` robust standard deviations
        (1.4826 × median absolute deviation) from the median: to be looked at, not to be removed.
    """

    symbol: str
    bars: int
    first: int | None
    last: int | None
    before: int
    after: int
    missing: Nanoseconds
    gaps: Nanoseconds
    zero_volume: Nanoseconds
    outliers: Nanoseconds

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing between the ends and nothing is suspicious."""
        return bool(self.bars) and not any(
            len(found) for found in (self.missing, self.zero_volume, self.outliers)
        )


def examine(bars: Bars) -> tuple[SymbolQuality, ...]:
    """The quality of each symbol; `bars` lie on their schedule (see `alignment.align`)."""
    return tuple(_examine(bars, column) for column in range(len(bars.symbols)))


def _examine(bars: Bars, column: int) -> SymbolQuality:
    times, close = bars.close_times, bars.close[:, column]
    rows = np.flatnonzero(~np.isnan(close))
    if not rows.size:
        nothing = times[:0]
        return SymbolQuality(
            bars.symbols[column], 0, None, None, len(bars), 0,
            nothing, nothing.reshape(0, 2), nothing, nothing,
        )  # fmt: skip
    first, last = int(rows[0]), int(rows[-1])
    holes = rows[:-1][np.diff(rows) > 1]
    ends = rows[1:][np.diff(rows) > 1]
    absent = np.isnan(close[first : last + 1])
    return SymbolQuality(
        symbol=bars.symbols[column],
        bars=len(rows),
        first=int(times[first]),
        last=int(times[last]),
        before=first,
        after=len(bars) - 1 - last,
        missing=times[first : last + 1][absent],
        gaps=np.stack([times[holes + 1], times[ends - 1]], axis=1),
        zero_volume=times[rows[bars.volume[rows, column] == 0]],
        outliers=times[rows[1:][_far_out(close[rows])]],
    )


def _far_out(closes: Values) -> npt.NDArray[np.bool_]:
    """Which returns between consecutive bars are outliers, shape (n_bars - 1,)."""
    if len(closes) < 2:
        return np.zeros(0, dtype=np.bool_)
    returns = np.diff(np.log(closes))
    distance = np.abs(returns - np.median(returns))
    sigma = _SIGMA_PER_DEVIATION * float(np.median(distance))
    far: npt.NDArray[np.bool_] = distance > OUTLIER_SIGMAS * sigma
    return far if sigma > 0 else np.zeros(len(returns), dtype=np.bool_)
