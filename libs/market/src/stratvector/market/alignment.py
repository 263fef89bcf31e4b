"""Laying bars on a schedule: exactly the scheduled closes, missing where there is no bar."""

import numpy as np
import numpy.typing as npt

from stratvector.trading.bad_bars import BadBars
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.timestamps import Nanoseconds, utc_text


class OffSchedule(BadBars):
    """Bars that close when their universe does not; `close_times` holds all of them."""

    def __init__(self, symbol: str, close_times: Nanoseconds) -> None:
        self.symbol, self.close_times = symbol, close_times
        more = f" (and {len(close_times) - 1} more)" if len(close_times) > 1 else ""
        super().__init__(
            f"{symbol} has a bar at {utc_text(int(close_times[0]))}{more}, when no bar is "
            "scheduled to close: a bar's time is its close and must be one of its calendar's"
        )


def align(bars: Bars, schedule: Nanoseconds) -> Bars:
    """Bars whose close times are exactly the scheduled ones; NaN rows where there is no bar.

    schedule : int64 UTC ns, shape (T,), strictly increasing.
    Bars before the first or after the last scheduled close are left out.
    Raises OffSchedule for a bar between them that closes off schedule.
    """
    inside = (
        bars.between(int(schedule[0]), int(schedule[-1])) if len(schedule) else bars.window(0, 0)
    )
    rows = np.searchsorted(schedule, inside.close_times)
    scheduled = schedule[rows] == inside.close_times
    _refuse_off_schedule(inside, ~scheduled)
    panel = {}
    for name in FIELDS:
        panel[name] = np.full((len(schedule), len(bars.symbols)), np.nan)
        panel[name][rows[scheduled]] = getattr(inside, name)[scheduled]
    return Bars(bars.symbols, schedule, **panel)


def _refuse_off_schedule(bars: Bars, off: npt.NDArray[np.bool_]) -> None:
    there = off[:, None] & ~np.isnan(bars.close)
    if not there.any():
        return
    symbol = int(np.flatnonzero(there.any(axis=0))[0])
    raise OffSchedule(bars.symbols[symbol], bars.close_times[there[:, symbol]])
