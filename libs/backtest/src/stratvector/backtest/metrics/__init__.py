"""Metrics of a session: fixed keys, one subject per file, plain functions on arrays.

`compute_metrics` gives the whole block; `daily` says how equity is sampled, `undefined` what NaN
means, and each other file is one subject with its formulas and sources.
"""

from stratvector.backtest.metrics.block import (
    ANNUALISED,
    METRIC_KEYS,
    as_json,
    compute_metrics,
)
from stratvector.backtest.metrics.daily import (
    DAYS_MIN,
    RETURNS_MIN,
    Observations,
    daily_equity,
    daily_returns,
    observations,
)
from stratvector.backtest.metrics.inputs import (
    BadMetricsInput,
    LengthMismatch,
    MetricsInput,
    TimesNotIncreasing,
)
from stratvector.backtest.metrics.positions import (
    FillSeries,
    OpenPosition,
    RoundTrip,
    RoundTrips,
    SignedFill,
)
from stratvector.backtest.metrics.round_trips import (
    BadFill,
    FillsOutOfOrder,
    FillWithoutQuantity,
    open_positions,
    round_trips,
)
from stratvector.backtest.metrics.score import rank
from stratvector.trading.benchmark import Benchmark

__all__ = [
    "ANNUALISED",
    "DAYS_MIN",
    "METRIC_KEYS",
    "RETURNS_MIN",
    "BadFill",
    "BadMetricsInput",
    "Benchmark",
    "FillSeries",
    "FillWithoutQuantity",
    "FillsOutOfOrder",
    "LengthMismatch",
    "MetricsInput",
    "Observations",
    "OpenPosition",
    "RoundTrip",
    "RoundTrips",
    "SignedFill",
    "TimesNotIncreasing",
    "as_json",
    "compute_metrics",
    "daily_equity",
    "daily_returns",
    "observations",
    "open_positions",
    "rank",
    "round_trips",
]
