import json
import math
from dataclasses import replace
from statistics import fmean, linear_regression, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stratvector.backtest import metrics
from stratvector.backtest.metrics import (
    ANNUALISED,
    METRIC_KEYS,
    Benchmark,
    FillSeries,
    LengthMismatch,
    MetricsInput,
    SignedFill,
    TimesNotIncreasing,
    as_json,
    compute_metrics,
)

DAY = 86_400_000_000_000
DESIGNED_KEYS = """
total_return annualized_return annualized_volatility sharpe_ratio sortino_ratio calmar_ratio
max_drawdown max_drawdown_daily max_drawdown_duration var_95 var_99 cvar_95 cvar_99 win_rate
profit_factor expectancy trades turnover exposure skew kurtosis omega_ratio tail_ratio ulcer_index
recovery_factor alpha beta information_ratio average_trade best_trade worst_trade trade_frequency
total_commission total_slippage bps
"""
EXPORTED_NAMES = """
ANNUALISED BadFill BadMetricsInput Benchmark DAYS_MIN FillSeries FillWithoutQuantity FillsOutOfOrder
LengthMismatch METRIC_KEYS MetricsInput Observations OpenPosition RETURNS_MIN RoundTrip RoundTrips
SignedFill TimesNotIncreasing as_json compute_metrics daily_equity daily_returns observations
open_positions rank round_trips
"""
KEYS = DESIGNED_KEYS.split()
NEED_FILLS_OR_MORE = {
    *("win_rate", "profit_factor", "expectancy", "average_trade", "best_trade", "worst_trade"),
    *("exposure", "alpha", "beta", "information_ratio", "bps"),
}

any_equity = hnp.arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.one_of(
        st.floats(width=64), st.floats(1.0, 1e6), st.sampled_from([0.0, -0.0, 1e308, 5e-324])
    ),
)


def daily_closes(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.int64) * DAY


def session(*equity: float) -> MetricsInput:
    return MetricsInput(daily_closes(len(equity)), np.array(equity))


def traded() -> MetricsInput:
    """Five days: a winning and a losing round trip, a benchmark and a recorded exposure."""
    return MetricsInput(
        close_times=daily_closes(5),
        equity=np.array([1000.0, 1100.0, 1045.0, 1045.0, 1149.5]),
        fills=FillSeries.of(
            [
                SignedFill(2 * DAY, "BTC", 2.0, 100.0, 1.0, 0.2),
                SignedFill(3 * DAY, "BTC", -2.0, 90.0, 1.0, 0.2),
                SignedFill(4 * DAY, "ETH", 10.0, 10.0, 0.5, 0.1),
                SignedFill(5 * DAY, "ETH", -10.0, 20.0, 0.5, 0.1),
            ]
        ),
        gross_exposure=np.array([0.0, 0.2, 0.0, 0.1, 0.0]),
        benchmark=Benchmark(daily_closes(5), np.array([50.0, 55.0, 52.25, 52.25, 53.0])),
    )


def test_the_keys_and_their_order_are_fixed() -> None:
    assert list(METRIC_KEYS) == KEYS
    assert list(compute_metrics(session(1.0, 2.0))) == KEYS


def test_the_exported_names_are_fixed() -> None:
    assert sorted(metrics.__all__) == sorted(EXPORTED_NAMES.split())
    assert all(hasattr(metrics, name) for name in metrics.__all__)


def test_five_days_of_trading_match_the_hand_calculation() -> None:
    block = compute_metrics(traded())
    expected = {
        "total_return": 0.1495,
        "max_drawdown": -0.05,
        "max_drawdown_daily": -0.05,
        "max_drawdown_duration": 3.0,
        "var_95": 0.05 - 0.15 * 0.05,
        "cvar_99": 0.05,
        "win_rate": 0.5,
        "profit_factor": 99.0 / 22.0,
        "expectancy": 38.5,
        "trades": 2.0,
        "exposure": 0.06,
        "omega_ratio": 4.0,
        "ulcer_index": math.sqrt(2 * 0.05**2 / 5),
        "recovery_factor": 2.99,
        "average_trade": (0.99 - 0.11) / 2,
        "best_trade": 0.99,
        "worst_trade": -0.11,
        "total_commission": 3.0,
        "total_slippage": 0.6,
    }
    assert {key: block[key] for key in expected} == pytest.approx(expected)
    assert {key for key, value in block.items() if math.isnan(value)} == set(ANNUALISED)


def weekdays_only(weeks: int = 20) -> MetricsInput:
    """Sessions that close on weekdays at 21:00 UTC, from a Monday to a Friday."""
    days = [d for d in range(4, 4 + 7 * weeks) if (d - 4) % 7 < 5]  # 1970-01-05 was a Monday
    times = np.array(days, dtype=np.int64) * DAY + DAY // 8 * 7
    growth = np.array([1.02 if day % 3 else 0.97 for day in range(len(times))])
    return MetricsInput(times, 1000.0 * np.cumprod(growth))


def test_the_benchmark_is_compared_on_the_days_that_count() -> None:
    session = weekdays_only()
    times = np.arange(1, 160, dtype=np.int64) * DAY + DAY // 8 * 7
    prices = np.array([100.0 + day % 11 for day in range(len(times))])
    block = compute_metrics(replace(session, benchmark=Benchmark(times, prices)))
    sampled = dict(zip(times.tolist(), prices.tolist(), strict=True))
    ours = (session.equity[1:] / session.equity[:-1] - 1.0).tolist()
    pairs = zip(session.close_times[:-1].tolist(), session.close_times[1:].tolist(), strict=True)
    theirs = [sampled[later] / sampled[earlier] - 1.0 for earlier, later in pairs]
    slope = linear_regression(theirs, ours).slope
    assert block["beta"] == pytest.approx(slope)
    per_year = 99 * 365.25 / 137  # 20 weeks from a Monday to a Friday
    active = [a - b for a, b in zip(ours, theirs, strict=True)]
    assert block["alpha"] == pytest.approx((fmean(ours) - slope * fmean(theirs)) * per_year)
    assert block["information_ratio"] == pytest.approx(
        fmean(active) / stdev(active) * math.sqrt(per_year)
    )


def test_the_risk_free_rate_lowers_every_ratio_to_it() -> None:
    times = weekdays_only().close_times
    prices = np.array([100.0 + day % 7 for day in range(len(times))])
    session = replace(weekdays_only(), benchmark=Benchmark(times, prices))
    free, charged = (compute_metrics(replace(session, risk_free_rate=r)) for r in (0.0, 0.05))
    per_year = 99 * 365.25 / 137
    rate = 1.05 ** (1 / per_year) - 1
    spread = free["annualized_volatility"]
    assert charged["sharpe_ratio"] == pytest.approx(free["sharpe_ratio"] - rate * per_year / spread)
    assert charged["sortino_ratio"] < free["sortino_ratio"]
    assert charged["omega_ratio"] < free["omega_ratio"]
    expected = free["alpha"] - per_year * rate * (1.0 - free["beta"])
    assert charged["alpha"] == pytest.approx(expected)
    for rate in (math.nan, math.inf, -1.0, True):
        with pytest.raises(ValueError, match=r"^risk_free_rate is .*; it must be a finite number"):
            replace(session, risk_free_rate=rate)


def test_turnover_is_measured_on_daily_and_not_on_intraday_equity() -> None:
    hours = np.arange(24, 24 * 101 + 1, 6, dtype=np.int64)
    equity = np.where(hours % 24 == 0, 110.0, 500.0)
    fills = FillSeries.of([SignedFill(int(hours[1]) * (DAY // 24), "BTC", 1.0, 55.0)])
    block = compute_metrics(MetricsInput(hours * (DAY // 24), equity, fills=fills))
    assert block["turnover"] == pytest.approx(55.0 / 110.0 * 365.25 / 100)


def test_constant_equity_has_no_return_no_risk_and_no_ratio() -> None:
    block = compute_metrics(session(*[100.0] * 91))
    zero = ("total_return", "annualized_return", "annualized_volatility", "max_drawdown", "var_95")
    assert all(block[key] == 0.0 and math.copysign(1.0, block[key]) == 1.0 for key in zero)
    undefined = ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "skew", "bps")
    assert all(math.isnan(block[key]) for key in undefined)


def test_a_session_of_one_close_has_only_totals() -> None:
    block = compute_metrics(session(100.0))
    assert block["total_return"] == 0.0
    assert block["trades"] == 0.0
    assert math.isnan(block["annualized_return"])
    assert math.isnan(block["sharpe_ratio"])


def test_without_a_benchmark_its_metrics_are_undefined() -> None:
    block = compute_metrics(replace(traded(), benchmark=None))
    assert all(math.isnan(block[key]) for key in ("alpha", "beta", "information_ratio"))


def test_the_portfolio_as_its_own_benchmark_has_beta_one_and_no_alpha() -> None:
    session = weekdays_only()
    own = replace(session, benchmark=Benchmark(session.close_times, session.equity))
    block = compute_metrics(own)
    assert block["beta"] == pytest.approx(1.0)
    assert block["alpha"] == pytest.approx(0.0, abs=1e-12)


def test_an_undefined_metric_is_null_in_json() -> None:
    block = compute_metrics(session(100.0, 101.0, 102.0))
    document = json.loads(json.dumps(as_json(block), allow_nan=False))
    assert list(document) == KEYS
    assert document["calmar_ratio"] is None
    assert document["total_return"] == block["total_return"]


def test_times_that_do_not_increase_are_refused() -> None:
    for times in (np.array([2, 1]), np.array([1, 1]), np.array([], dtype=np.int64)):
        with pytest.raises(TimesNotIncreasing, match="close_times"):
            MetricsInput(times, np.ones(len(times), dtype=np.float64))


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(LengthMismatch, match=r"equity has shape \(3,\)"):
        MetricsInput(daily_closes(2), np.array([1.0, 2.0, 3.0]))
    with pytest.raises(LengthMismatch, match="gross_exposure"):
        replace(session(1.0, 2.0), gross_exposure=np.ones(1))


@given(any_equity, st.sampled_from([1, 7, 30]))
def test_no_metric_is_ever_infinite(equity: np.ndarray, step: int) -> None:
    block = compute_metrics(MetricsInput(step * daily_closes(len(equity)), equity))
    assert list(block) == KEYS
    assert not any(math.isinf(value) for value in block.values())
    json.dumps(as_json(block), allow_nan=False)


@given(st.lists(st.floats(1.0, 1e6), min_size=31, max_size=60), st.sampled_from([0.5, 4.0, 1024.0]))
def test_metrics_of_equity_do_not_change_with_the_currency(
    equity: list[float], scale: float
) -> None:
    times = 7 * daily_closes(len(equity))
    before, after = (
        compute_metrics(MetricsInput(times, factor * np.array(equity))) for factor in (1.0, scale)
    )
    np.testing.assert_array_equal(list(after.values()), list(before.values()))


def test_only_what_needs_fills_or_a_benchmark_is_undefined_without_them() -> None:
    block = compute_metrics(weekdays_only())
    assert {key for key, value in block.items() if math.isnan(value)} == NEED_FILLS_OR_MORE
