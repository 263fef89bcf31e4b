"""How two series move together: correlation, and beta on a market."""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.bad_indicator import UnknownColumn
from stratvector.strategies.indicators.memo import Input
from stratvector.strategies.indicators.registry import Column, SpreadCloses, indicator
from stratvector.strategies.indicators.statistics import (
    BLOCK,
    ROUNDING,
    Statistics,
    standard_deviation,
)
from stratvector.strategies.indicators.steps import simple_returns
from stratvector.strategies.indicators.window import simple_average
from stratvector.trading.bars import FIELDS
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def where_both(values: Floats, others: Floats, both: Floats) -> None:
    """The values, NaN where the other is missing."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            both[t, s] = values[t, s] if others[t, s] == others[t, s] else np.nan


@engine_jit
def add_products(
    values: Floats, mean: Floats, others: Floats, other_mean: Floats, window: int, products: Floats
) -> None:
    """Sum of (value - mean) x (other - its mean)."""
    symbols = values.shape[1]
    flat, centre = values.reshape(-1), mean.reshape(-1)
    second, second_centre = others.reshape(-1), other_mean.reshape(-1)
    total = products.reshape(-1)
    total[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, about, around = total[start:stop], centre[start:stop], second_centre[start:stop]
        for lag in range(window):
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            beside = second[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                product = (lagged[i] - about[i]) * (beside[i] - around[i])
                into[i] += product if product == product else 0.0


@engine_jit
def correlate(
    products: Floats, deviation: Floats, other: Floats, counts: Floats, result: Floats
) -> None:
    """Mean product over both deviations, within -1 and 1; NaN where one of them is 0."""
    for t in range(products.shape[0]):
        for s in range(products.shape[1]):
            spread = deviation[t, s] * other[t, s]
            result[t, s] = np.nan
            if spread > 0.0:
                result[t, s] = max(-1.0, min(1.0, products[t, s] / counts[t, s] / spread))


@engine_jit
def regress(
    products: Floats, other: Floats, counts: Floats, usable: Floats, window: int, beta: Floats
) -> None:
    """Mean product over the other's variance; NaN where that is 0, or the rounding of returns."""
    for t in range(products.shape[0]):
        for s in range(products.shape[1]):
            beta[t, s] = np.nan
            if usable[t, s] > 0.0 and other[t, s] > window * ROUNDING:
                beta[t, s] = products[t, s] / counts[t, s] / (other[t, s] * other[t, s])


def step_window(window: int) -> int:
    """Closes that `window` changes between closes need: one more."""
    return window + 1


class Comovement(Statistics):
    """Two columns, or the symbols and one of them; both count where both are present."""

    @indicator()
    def correlation(self, window: SpreadCloses, against: Column, of: Column = "close") -> Floats:
        """Pearson's correlation of the last `window` values with `against`, -1 to 1.

        against : a column, an array, or a symbol, whose `of` all symbols are compared with.
        """
        first, second = self._pair(of, against)
        return self.apply(
            correlate,
            (first.key, second.key, window),
            lambda: (
                self._products(window, first, second),
                self._deviation(window, first),
                self._deviation(window, second),
                self.counts(window, first),
            ),
        )

    @indicator(step_window)
    def beta(self, window: SpreadCloses, against: Column, of: Column = "close") -> Floats:
        """Slope of the last `window` simple returns on those of `against`.

        against : a column, an array, or a symbol, whose `of` is the market of all symbols.
        """
        first, second = self._pair(of, against)
        returns = self.derived("simple_returns", simple_returns, first)
        market = self.derived("simple_returns", simple_returns, second)
        return self.apply(
            regress,
            (first.key, second.key, window),
            lambda: (
                self._products(window, returns, market, first),
                self._step_deviation(window, market, second),
                self.counts(window, market),
                self.usable(window + 1, first),
                window,
            ),
        )

    def _step_mean(self, window: int, steps: Input, of: Input) -> Floats:
        """Mean of the steps of a window of `window + 1` closes."""
        return self.apply(
            simple_average,
            (steps.key, of.key, window),
            lambda: (
                self.sums(window, steps),
                self.counts(window, steps),
                self.usable(window + 1, of),
            ),
        )

    def _step_deviation(self, window: int, steps: Input, of: Input) -> Floats:
        mean = self._step_mean(window, steps, of)
        return self.apply(
            standard_deviation,
            (steps.key, of.key, window),
            lambda: (self._squares(window, steps, mean), mean, self.counts(window, steps), 0),
        )

    def _products(
        self, window: int, first: Input, second: Input, of: Input | None = None
    ) -> Floats:
        means = [
            self.mean(window, one) if of is None else self._step_mean(window, one, of)
            for one in (first, second)
        ]
        return self.apply(
            add_products,
            (first.key, second.key, window),
            lambda: (first.values, means[0], second.values, means[1], window),
        )

    def _pair(self, of: Column, against: Column) -> tuple[Input, Input]:
        """Both where both are present."""
        given, other = self.input(of), self._compared(against, of)
        return (
            self.derived("both", where_both, given, other),
            self.derived("both", where_both, other, given),
        )

    def _compared(self, against: Column, of: Column) -> Input:
        if not isinstance(against, str) or against in FIELDS:
            return self.input(against)
        symbols = self.bars.symbols
        if against not in symbols:
            raise UnknownColumn(against, (*FIELDS, *symbols))
        given = self.input(of)
        key = ("symbol", given.key, against)
        if key not in self._inputs:
            column = given.values[:, [symbols.index(against)]]
            spread = np.ascontiguousarray(np.broadcast_to(column, given.values.shape))
            self._inputs[key] = Input(key, spread, given.closes)
        return self._inputs[key]
