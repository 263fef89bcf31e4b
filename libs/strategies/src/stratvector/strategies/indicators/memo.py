"""Each indicator of some bars, computed once."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.momentum import momentum
from stratvector.strategies.indicators.moving_average import (
    bollinger_band,
    moving_average,
    standard_deviation,
    z_score,
)
from stratvector.strategies.indicators.relative_strength import (
    relative_strength,
    relative_strength_window,
)
from stratvector.strategies.indicators.window import (
    add_lags,
    count_present,
    mark_present,
    mark_usable,
    zero_missing,
)
from stratvector.trading.bars import Bars

Kernel = Callable[..., None]


class Indicators:
    """The indicators of `bars`, each memoised by its kernel, its input column and its parameters.

    It lives as long as one computation: a sweep over 5,080 pairs of windows asks one `Indicators`
    for 10,160 moving averages, and 146 are computed. Results are float64[closes, symbols] and
    read-only; the package's docstring says where they are NaN. `of` names a column of the bars;
    windows, periods and lookbacks count closes and are at least 1.
    """

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self._results: dict[tuple[Kernel, Hashable], Floats] = {}
        self._columns: dict[str, Floats] = {}
        self._running_sums: dict[str, tuple[int, Floats]] = {}

    def apply(self, kernel: Kernel, key: Hashable, inputs: Callable[[], tuple[Any, ...]]) -> Floats:
        """What kernel(*inputs(), result) writes into `result`, once per kernel and key.

        A strategy brings kernels of its own through here.
        """
        found = self._results.get((kernel, key))
        if found is None:
            found = np.empty(self.bars.close.shape)
            kernel(*inputs(), found)
            found.flags.writeable = False
            self._results[kernel, key] = found
        return found

    def computed(self, kernel: Kernel) -> int:
        """How many different results of that kernel there are."""
        return sum(1 for known, _ in self._results if known is kernel)

    def values(self, of: str = "close") -> Floats:
        """A column of the bars as it is, NaN where the bar is missing."""
        if of not in self._columns:
            column: Floats = getattr(self.bars, of).view()
            column.flags.writeable = False
            self._columns[of] = column
        return self._columns[of]

    def moving_average(self, window: int, of: str = "close") -> Floats:
        """Mean of the last `window` values, in their unit."""
        return self.apply(
            moving_average,
            (of, window),
            lambda: (self._sums(window, of), self._counts(window, of), self._usable(window, of)),
        )

    def standard_deviation(self, window: int, of: str = "close") -> Floats:
        """Population standard deviation of the last `window` values, in their unit."""
        return self.apply(
            standard_deviation,
            (of, window),
            lambda: (
                self.values(of),
                self.moving_average(window, of),
                self._counts(window, of),
                window,
            ),
        )

    def bollinger_band(self, window: int, width: float, of: str = "close") -> Floats:
        """Moving average plus `width` standard deviations; a negative width is a lower band."""
        return self.apply(
            bollinger_band,
            (of, window, float(width)),
            lambda: (
                self.moving_average(window, of),
                self.standard_deviation(window, of),
                float(width),
            ),
        )

    def z_score(self, window: int, of: str = "close") -> Floats:
        """Distance to the moving average in standard deviations."""
        return self.apply(
            z_score,
            (of, window),
            lambda: (
                self.values(of),
                self.moving_average(window, of),
                self.standard_deviation(window, of),
            ),
        )

    def momentum(self, lookback: int, of: str = "close") -> Floats:
        """Change over `lookback` closes, as a fraction; reads lookback + 1 closes."""
        return self.apply(
            momentum,
            (of, lookback),
            lambda: (self.values(of), self._usable(lookback + 1, of), lookback),
        )

    def relative_strength(self, period: int, of: str = "close") -> Floats:
        """Wilder's index, 0 to 100; reads `relative_strength_window(period)` closes."""
        window = relative_strength_window(period)
        return self.apply(
            relative_strength,
            (of, period),
            lambda: (self.values(of), self._usable(window, of), window, period),
        )

    def _sums(self, window: int, of: str) -> Floats:
        """Sums over the window; the last ones asked for are kept and lengthened for the next."""
        summed, sums = self._running_sums.get(of, (0, None))
        if sums is None or summed > window:
            summed, sums = 0, np.zeros(self.bars.close.shape)
        filled = self.apply(zero_missing, of, lambda: (self.values(of),))
        add_lags(filled.reshape(-1), sums.reshape(-1), summed, window, sums.shape[1])
        self._running_sums[of] = (window, sums)
        return sums

    def _counts(self, window: int, of: str) -> Floats:
        present = self.apply(mark_present, of, lambda: (self.values(of),))
        return self.apply(count_present, (of, window), lambda: (present, window))

    def _usable(self, window: int, of: str) -> Floats:
        present = self.apply(mark_present, of, lambda: (self.values(of),))
        return self.apply(
            mark_usable, (of, window), lambda: (present, self._counts(window, of), window)
        )
