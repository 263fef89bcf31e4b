"""Volume: on-balance volume, accumulation, money flow, and prices weighted by volume.

All are sums over an explicit window: the usual running totals remember the series' first bar.
"""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.comovement import step_window
from stratvector.strategies.indicators.memo import Input
from stratvector.strategies.indicators.oscillators import Oscillators
from stratvector.strategies.indicators.registry import Closes, indicator
from stratvector.strategies.indicators.steps import signed_flows
from stratvector.trading.engine.compiling import engine_jit


def mfi_window(period: int = 14) -> int:
    """Closes that one value of the money flow index reads."""
    return period + 1


@engine_jit
def multiply(values: Floats, others: Floats, products: Floats) -> None:
    """value x other."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            products[t, s] = values[t, s] * others[t, s]


@engine_jit
def accumulated(high: Floats, low: Floats, close: Floats, volume: Floats, flow: Floats) -> None:
    """((close - low) - (high - close)) / (high - low) x volume; 0 where high = low."""
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            span = high[t, s] - low[t, s]
            inside = (close[t, s] - low[t, s]) - (high[t, s] - close[t, s])
            flow[t, s] = inside / span * volume[t, s] if span != 0.0 else 0.0 * volume[t, s]


@engine_jit
def sum_where_usable(sums: Floats, usable: Floats, result: Floats) -> None:
    """The sum; NaN where the window is not usable."""
    for t in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            result[t, s] = sums[t, s] if usable[t, s] > 0.0 else np.nan


@engine_jit
def share(part: Floats, whole: Floats, scale: float, empty: float, result: Floats) -> None:
    """scale x part / whole; `empty` where the whole is 0, NaN where one is."""
    for t in range(part.shape[0]):
        for s in range(part.shape[1]):
            result[t, s] = scale * (part[t, s] / whole[t, s])
            if whole[t, s] == 0.0:
                result[t, s] = empty


class Volume(Oscillators):
    """What volume says about prices."""

    @indicator(step_window)
    def obv(self, window: Closes) -> Floats:
        """Volume of the last `window` rises less that of the falls, in units traded."""
        close = self.input("close")
        signed, _ = self._flows(close, self.input("volume"))
        return self._total(window, signed, window + 1, close)

    @indicator()
    def accumulation_distribution(self, window: Closes) -> Floats:
        """Sum of volume x where the close lies in its bar, -1 to 1, in units traded."""
        flow = self._accumulated()
        return self._total(window, flow, window, flow)

    @indicator()
    def cmf(self, window: Closes = 20) -> Floats:
        """Chaikin money flow: accumulation by volume, -1 to 1; 0 where nothing was traded."""
        flow, volume = self._accumulated(), self.input("volume")
        return self.apply(
            share,
            ("cmf", window),
            lambda: (
                self._total(window, flow, window, flow),
                self._total(window, volume, window, volume),
                1.0,
                0.0,
            ),
        )

    @indicator(mfi_window)
    def mfi(self, period: Closes = 14) -> Floats:
        """Money flow index: rising typical prices' share of the flow, 0 to 100; 50 without any."""
        price = self._typical()
        flow = self.derived("flow", multiply, price, self.input("volume"))
        signed, positive = self._flows(price, flow)
        moved = self.derived("moved", absolute, signed)
        return self.apply(
            share,
            ("mfi", period),
            lambda: (
                self._total(period, positive, period + 1, price),
                self._total(period, moved, period + 1, price),
                100.0,
                50.0,
            ),
        )

    @indicator()
    def vwap(self, window: Closes) -> Floats:
        """Typical price weighted by volume over the window; NaN where nothing was traded."""
        price, volume = self._typical(), self.input("volume")
        flow = self.derived("flow", multiply, price, volume)
        return self.apply(
            share,
            ("vwap", window),
            lambda: (
                self._total(window, flow, window, flow),
                self._total(window, volume, window, volume),
                1.0,
                np.nan,
            ),
        )

    def _accumulated(self) -> Input:
        columns = (self.input(name) for name in ("high", "low", "close", "volume"))
        return self.derived("accumulated", accumulated, *columns)

    def _flows(self, of: Input, flow: Input) -> tuple[Input, Input]:
        """Steps: the flow with the sign of the change, and where it rose."""
        key = (of.key, flow.key)
        signed, positive = self.apply_all(signed_flows, key, lambda: (of.values, flow.values), 2)
        return Input(("signed", key), signed, 2), Input(("positive", key), positive, 2)

    def _total(self, window: int, of: Input, closes: int, base: Input) -> Floats:
        return self.apply(
            sum_where_usable,
            (of.key, window, closes),
            lambda: (self.sums(window, of), self.usable(closes, base)),
        )


@engine_jit
def absolute(values: Floats, sizes: Floats) -> None:
    """The values without their sign."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            sizes[t, s] = abs(values[t, s])
