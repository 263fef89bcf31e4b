"""What a portfolio's result is compared with: the prices of one thing that somebody could hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratvector.trading.bars import Bars
from stratvector.trading.columns import Values
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text

HELD_UNIVERSE = "buy and hold of the universe"


class BadBenchmark(ValueError):
    """A series of prices or a rate that nothing can be compared with; one sentence."""


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Prices to compare with.

    close_times : int64[B], strictly increasing UTC nanoseconds, at least one. prices : float64[B],
    finite and above 0, in any currency. name : as reports show it. Raises BadBenchmark.
    """

    close_times: Nanoseconds = field(repr=False)
    prices: Values = field(repr=False)
    name: str = "benchmark"

    def __post_init__(self) -> None:
        times, prices = self.close_times, self.prices
        if not len(times) or times.ndim != 1 or (times[1:] <= times[:-1]).any():
            raise BadBenchmark(
                f"the close times of benchmark {self.name} must be at least one, and increase"
            )
        if prices.shape != times.shape:
            raise BadBenchmark(
                f"benchmark {self.name} has prices of shape {prices.shape}, but {len(times)} closes"
            )
        wrong = np.flatnonzero(~(np.isfinite(prices) & (prices > 0.0)))
        if wrong.size:
            raise BadBenchmark(
                f"benchmark {self.name} is {float(prices[wrong[0]])} at "
                f"{utc_text(int(times[wrong[0]]))}; a price must be finite and above 0"
            )

    def total_return(self, first: int, last: int) -> float:
        """Change between two instants (ns UTC), from the first price between them where it has
        none before; a fraction, NaN without a price.
        """
        begin = max(0, int(np.searchsorted(self.close_times, first, side="right")) - 1)
        end = int(np.searchsorted(self.close_times, last, side="right")) - 1
        return float(self.prices[end] / self.prices[begin]) - 1.0 if end >= begin else math.nan


def benchmark_of(bars: Bars, symbol: str) -> Benchmark:
    """The closes of one symbol of the bars, missing ones left out. Raises BadBars, BadBenchmark."""
    close = bars.select([symbol]).close[:, 0]
    there = ~np.isnan(close)
    return Benchmark(bars.close_times[there], close[there], symbol)


def thinned(benchmark: Benchmark) -> Benchmark:
    """The last price of each UTC date, which is all that metrics read; a close at 00:00 belongs to
    the date that it ends.
    """
    days = (benchmark.close_times - 1) // NANOSECONDS_PER_DAY
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    return Benchmark(benchmark.close_times[last], benchmark.prices[last], benchmark.name)


def benchmark_document(benchmark: Benchmark | None) -> dict[str, Any] | None:
    """As JSON values, from which `benchmark_from` gives the same bits."""
    if benchmark is None:
        return None
    times, prices = benchmark.close_times.tolist(), benchmark.prices.tolist()
    return {"name": benchmark.name, "close_times": times, "prices": prices}


def benchmark_from(document: Mapping[str, Any] | None) -> Benchmark | None:
    """The benchmark of such a document. Raises BadBenchmark."""
    if document is None:
        return None
    times = np.array(document["close_times"], np.int64)
    return Benchmark(times, np.array(document["prices"], np.float64), str(document["name"]))


def held_universe(close_times: Nanoseconds, close: Values) -> Benchmark | None:
    """Buy and hold: as much money in each symbol at its first close, nothing sold, no costs.

    close : float64[T, S], NaN where a symbol has no bar. Until its first close a symbol's share
    lies idle, and while it has no bar it is worth its last close. None without any price.
    """
    present = ~np.isnan(close)
    listed = present.any(axis=0)
    if not listed.any():
        return None
    rows = np.where(present, np.arange(len(close))[:, np.newaxis], 0)
    filled = np.take_along_axis(close, np.maximum.accumulate(rows, axis=0), axis=0)[:, listed]
    bought = close[present.argmax(axis=0), np.arange(close.shape[1])][listed]
    growth = np.where(np.isnan(filled), 1.0, filled / bought)
    return Benchmark(close_times, growth.mean(axis=1), HELD_UNIVERSE)


def check_risk_free_rate(rate: float) -> None:
    """Refuse an effective annual rate that no period compounds to. Raises BadBenchmark."""
    if isinstance(rate, bool) or not (math.isfinite(rate) and rate > -1.0):
        raise BadBenchmark(f"risk_free_rate is {rate}; it must be a finite number above -1")


def check_begins(benchmark: Benchmark, last_close: int) -> None:
    """Refuse a benchmark whose first price comes after the last close. Raises BadBenchmark."""
    if benchmark.close_times[0] > last_close:
        raise BadBenchmark(
            f"benchmark {benchmark.name} begins at {utc_text(int(benchmark.close_times[0]))}, "
            f"after the last close, {utc_text(last_close)}"
        )
