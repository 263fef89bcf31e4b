"""Statistics of a window: spread, shape, regression and rank."""

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.memo import Input, Memo
from stratvector.strategies.indicators.registry import Closes, Column, SpreadCloses, indicator
from stratvector.trading.engine.compiling import engine_jit

BLOCK = 1024  # values summed together while they stay in the nearest cache
ROUNDING = 2.3e-16  # of a sum's term: a smaller spread is none


@engine_jit
def add_squares(values: Floats, mean: Floats, window: int, squares: Floats) -> None:
    """Sum of (value - mean)^2, newest first; missing values add nothing."""
    symbols = values.shape[1]
    flat, centre, total = values.reshape(-1), mean.reshape(-1), squares.reshape(-1)
    total[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, about = total[start:stop], centre[start:stop]
        for lag in range(window):
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                distance = lagged[i] - about[i]
                into[i] += distance * distance if distance == distance else 0.0


@engine_jit
def standard_deviation(
    squares: Floats, mean: Floats, counts: Floats, window: int, deviation: Floats
) -> None:
    """sqrt(squares / count), 0 where that is the rounding of the mean; NaN where the mean is."""
    for t in range(mean.shape[0]):
        for s in range(mean.shape[1]):
            deviation[t, s] = np.nan
            if mean[t, s] == mean[t, s] and counts[t, s] > 0.0:
                spread = np.sqrt(squares[t, s] / counts[t, s])
                deviation[t, s] = spread if spread > window * ROUNDING * abs(mean[t, s]) else 0.0


@engine_jit
def score(values: Floats, average: Floats, deviation: Floats, result: Floats) -> None:
    """(value - average) / deviation; 0 if all values are equal, NaN where the average is."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            distance = values[t, s] - average[t, s]
            result[t, s] = distance / deviation[t, s] if deviation[t, s] != 0.0 else 0.0


@engine_jit
def add_moments(values: Floats, mean: Floats, window: int, cubes: Floats, fourths: Floats) -> None:
    """Sums of the third and fourth powers of (value - mean)."""
    symbols = values.shape[1]
    flat, centre = values.reshape(-1), mean.reshape(-1)
    third, fourth = cubes.reshape(-1), fourths.reshape(-1)
    third[:] = 0.0
    fourth[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, beside, about = third[start:stop], fourth[start:stop], centre[start:stop]
        for lag in range(window):
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                distance = lagged[i] - about[i]
                square = distance * distance
                into[i] += square * distance if distance == distance else 0.0
                beside[i] += square * square if distance == distance else 0.0


@engine_jit
def shape(
    cubes: Floats, fourths: Floats, deviation: Floats, counts: Floats, skew: Floats, tails: Floats
) -> None:
    """Third and fourth moment by the deviation's powers, the latter less 3; NaN if it is 0."""
    for t in range(cubes.shape[0]):
        for s in range(cubes.shape[1]):
            skew[t, s] = np.nan
            tails[t, s] = np.nan
            spread = deviation[t, s]
            if spread > 0.0:
                skew[t, s] = cubes[t, s] / counts[t, s] / (spread * spread * spread)
                square = spread * spread
                tails[t, s] = fourths[t, s] / counts[t, s] / (square * square) - 3.0


@engine_jit
def add_slopes(
    values: Floats, mean: Floats, window: int, products: Floats, times: Floats, squares: Floats
) -> None:
    """Sums over the present values: time x distance to the mean, time, time^2.

    Time is counted from the middle of the window.
    """
    symbols = values.shape[1]
    middle = 0.5 * (window - 1)
    flat, centre = values.reshape(-1), mean.reshape(-1)
    first, second, third = products.reshape(-1), times.reshape(-1), squares.reshape(-1)
    first[:] = 0.0
    second[:] = 0.0
    third[:] = 0.0
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, beside, below = first[start:stop], second[start:stop], third[start:stop]
        about = centre[start:stop]
        for lag in range(window):
            time = middle - lag
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                distance = lagged[i] - about[i]
                into[i] += time * distance if distance == distance else 0.0
                beside[i] += time if distance == distance else 0.0
                below[i] += time * time if distance == distance else 0.0


@engine_jit
def regression_slope(
    products: Floats, times: Floats, squares: Floats, mean: Floats, counts: Floats, slope: Floats
) -> None:
    """Covariance with time over the variance of time; NaN where one value is present."""
    for t in range(mean.shape[0]):
        for s in range(mean.shape[1]):
            slope[t, s] = np.nan
            if mean[t, s] == mean[t, s] and counts[t, s] > 1.0:
                spread = squares[t, s] - times[t, s] * times[t, s] / counts[t, s]
                slope[t, s] = products[t, s] / spread


@engine_jit
def percentile(values: Floats, usable: Floats, counts: Floats, window: int, result: Floats) -> None:
    """(values below + half of the equal others + half, and itself half) / count."""
    symbols = values.shape[1]
    flat, total = values.reshape(-1), result.reshape(-1)
    total[:] = 0.5
    for start in range((window - 1) * symbols, flat.shape[0], BLOCK):
        stop = min(start + BLOCK, flat.shape[0])
        into, newest = total[start:stop], flat[start:stop]
        for lag in range(window):
            lagged = flat[start - lag * symbols : stop - lag * symbols]
            for i in range(into.shape[0]):
                below = 1.0 if lagged[i] < newest[i] else 0.0
                into[i] += 0.5 if lagged[i] == newest[i] else below
    for t in range(values.shape[0]):
        for s in range(symbols):
            found = usable[t, s] > 0.0
            result[t, s] = result[t, s] / counts[t, s] if found else np.nan


@engine_jit
def rank_of_row(values: Floats, warm_up: int, result: Floats) -> None:
    """(symbols below + half of the equal ones, itself too, + half) / symbols present."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            value = values[t, s]
            rank = 0.5
            present = 0.0
            for other in range(values.shape[1]):
                compared = values[t, other]
                present += 1.0 if compared == compared else 0.0
                below = 1.0 if compared < value else 0.0
                rank += 0.5 if compared == value else below
            result[t, s] = rank / present if value == value and t >= warm_up else np.nan


def own_close() -> int:
    """A value of the same close."""
    return 1


class Statistics(Memo):
    """What a window's values look like; `of` names a column, or is an array such as a result."""

    @indicator()
    def std(self, window: Closes, of: Column = "close") -> Floats:
        """Population standard deviation of the last `window` values, in their unit."""
        return self._deviation(window, self.input(of))

    @indicator()
    def z_score(self, window: Closes, of: Column = "close") -> Floats:
        """Distance to the moving average in standard deviations; 0 if all values are equal."""
        given = self.input(of)
        return self.apply(
            score,
            (given.key, window),
            lambda: (given.values, self.mean(window, given), self._deviation(window, given)),
        )

    @indicator()
    def skew(self, window: SpreadCloses, of: Column = "close") -> Floats:
        """Third standardised moment of the last `window` values, as a population."""
        return self._shape(window, self.input(of))[0]

    @indicator()
    def kurtosis(self, window: SpreadCloses, of: Column = "close") -> Floats:
        """Fourth standardised moment less 3 of the last `window` values, as a population."""
        return self._shape(window, self.input(of))[1]

    @indicator()
    def slope(self, window: SpreadCloses, of: Column = "close") -> Floats:
        """Slope of the least-squares line through the last `window` values, per close."""
        given = self.input(of)
        mean = self.mean(window, given)
        sums = self.apply_all(
            add_slopes, (given.key, window), lambda: (given.values, mean, window), 3
        )
        return self.apply(
            regression_slope,
            (given.key, window),
            lambda: (*sums, mean, self.counts(window, given)),
        )

    @indicator()
    def percentile_rank(self, window: Closes, of: Column = "close") -> Floats:
        """Rank of the value among the last `window`, equal ones shared, by their number: to 1."""
        given = self.input(of)
        return self.apply(
            percentile,
            (given.key, window),
            lambda: (
                given.values,
                self.usable(window, given),
                self.counts(window, given),
                window,
            ),
        )

    @indicator(own_close)
    def rank(self, of: Column = "close") -> Floats:
        """Rank among the symbols present at the close, equal ones shared, by their number: to 1."""
        given = self.input(of)
        return self.apply(rank_of_row, given.key, lambda: (given.values, given.closes - 1))

    def _squares(self, window: int, of: Input, mean: Floats) -> Floats:
        return self.apply(add_squares, (of.key, window), lambda: (of.values, mean, window))

    def _deviation(self, window: int, of: Input) -> Floats:
        mean = self.mean(window, of)
        return self.apply(
            standard_deviation,
            (of.key, window),
            lambda: (self._squares(window, of, mean), mean, self.counts(window, of), window),
        )

    def _shape(self, window: int, of: Input) -> tuple[Floats, ...]:
        mean = self.mean(window, of)
        sums = self.apply_all(add_moments, (of.key, window), lambda: (of.values, mean, window), 2)
        return self.apply_all(
            shape,
            (of.key, window),
            lambda: (*sums, self._deviation(window, of), self.counts(window, of)),
            2,
        )
