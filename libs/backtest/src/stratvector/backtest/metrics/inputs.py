"""What the metrics are computed from.

ValueError
└── BadMetricsInput
    ├── TimesNotIncreasing    close times are empty or not strictly increasing
    └── LengthMismatch        a series has another length than its close times
"""

from dataclasses import dataclass, field

import numpy as np

from stratvector.backtest.metrics.arrays import Floats, Times
from stratvector.backtest.metrics.positions import FillSeries
from stratvector.trading.benchmark import Benchmark, check_risk_free_rate


class BadMetricsInput(ValueError):
    """Series that no metric can be computed from."""


class TimesNotIncreasing(BadMetricsInput):
    """Close times must satisfy T >= 1 and close_times[t] > close_times[t - 1]."""

    def __init__(self, name: str, length: int) -> None:
        """Keep the name of the series and its length."""
        super().__init__(name, length)
        self.name, self.length = name, length

    def __str__(self) -> str:
        return f"{self.name} ({self.length} values) must be at least one and strictly increasing"


class LengthMismatch(BadMetricsInput):
    """A series must have the shape of its close times."""

    def __init__(self, name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
        """Keep the name of the series and both shapes."""
        super().__init__(name, shape, expected)
        self.name, self.shape, self.expected = name, shape, expected

    def __str__(self) -> str:
        return f"{self.name} has shape {self.shape}, its close times have {self.expected}"


@dataclass(frozen=True, eq=False)
class MetricsInput:
    """One session of one portfolio.

    close_times : ndarray of shape (T,), T >= 1, strictly increasing UTC nanoseconds; the first is
        the session's start
    equity : ndarray of shape (T,), account currency after each close; equity[0] is the initial
        equity, so nothing may have been filled at or before the first close
    fills : all fills of the session in time order
    gross_exposure : ndarray of shape (T,), fraction of equity, or None when it was not recorded
    benchmark : prices to compare with, or None
    risk_free_rate : effective, fraction per year

    Raises BadMetricsInput and BadBenchmark. NaN in equity is allowed and makes the metrics that
    need it NaN.
    """

    close_times: Times
    equity: Floats
    fills: FillSeries = field(default_factory=lambda: FillSeries.of(()))
    gross_exposure: Floats | None = None
    benchmark: Benchmark | None = None
    risk_free_rate: float = 0.0

    def __post_init__(self) -> None:
        _check_series("close_times", self.close_times, "equity", self.equity)
        if self.gross_exposure is not None:
            _check_series("close_times", self.close_times, "gross_exposure", self.gross_exposure)
        check_risk_free_rate(self.risk_free_rate)


def _check_series(times_name: str, times: Times, name: str, values: Floats) -> None:
    if times.ndim != 1 or times.size == 0 or not (np.diff(times) > 0).all():
        raise TimesNotIncreasing(times_name, times.size)
    if values.shape != times.shape:
        raise LengthMismatch(name, values.shape, times.shape)
