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
    METRIC_KEYS,
    Benchmark,
    LengthMismatch,
    MetricsInput,
    SignedFill,
    TimesNotIncreasing,
    as_json,
    compute_metrics,
    daily_equity,
    daily_returns,
)

DAY = 86_400_000_000_000
DESIGNED_KEYS = """
total_return annualized_return annualized_volatility sharpe_ratio sortino_ratio calmar_ratio
max_drawdown max_drawdown_duration var_95 var_99 cvar_95 cvar_99 win_rate profit_factor expectancy
trades turnover exposure skew kurtosis omega_ratio tail_ratio ulcer_index recovery_factor alpha beta
information_ratio average_trade best_trade worst_trade trade_frequency total_commission
total_slippage bps
"""
EXPORTED_NAMES = """
BadFill BadMetricsInput Benchmark FillWithoutQuantity FillsOutOfOrder LengthMismatch METRIC_KEYS
MetricsInput OpenPosition RoundTrip SignedFill TimesNotIncreasing as_json compute_metrics
daily_equity daily_returns open_positions rank round_trips
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
    return MetricsInput(daily_closes(len(equity)), np.array(equity), trades_every_day=True)


def traded() -> MetricsInput:
    """Five days: a winning and a losing round trip, a benchmark and a recorded exposure."""
    return MetricsInput(
        close_times=daily_closes(5),
        equity=np.array([1000.0, 1100.0, 1045.0, 1045.0, 1149.5]),
        trades_every_day=True,
        fills=(
            SignedFill(2 * DAY, "BTC", 2.0, 100.0, 1.0, 0.2),
            SignedFill(3 * DAY, "BTC", -2.0, 90.0, 1.0, 0.2),
            SignedFill(4 * DAY, "ETH", 10.0, 10.0, 0.5, 0.1),
            SignedFill(5 * DAY, "ETH", -10.0, 20.0, 0.5, 0.1),
        ),
        gross_exposure=np.array([0.0, 0.2, 0.0, 0.1, 0.0]),
        benchmark=Benchmark(daily_closes(5), np.array([50.0, 55.0, 52.25, 52.25, 53.0])),
    )


def test_the_keys_and_their_order_are_fixed() -> None:
    assert list(METRIC_KEYS) == KEYS
    assert list(compute_metrics(session(1.0, 2.0))) == KEYS


def test_the_exported_names_are_fixed() -> None:
    assert sorted(metrics.__all__) == EXPORTED_NAMES.split()
    assert all(hasattr(metrics, name) for name in metrics.__all__)


def test_five_days_of_trading_match_the_hand_calculation() -> None:
    block = compute_metrics(traded())
    returns = [0.1, -0.05, 0.0, 0.1]
    years = 4 / 365.25
    growth = 1.1495 ** (1 / years) - 1
    sharpe = fmean(returns) / stdev(returns) * math.sqrt(365)
    expected = {
        "total_return": 0.1495,
        "annualized_return": growth,
        "annualized_volatility": stdev(returns) * math.sqrt(365),
        "sharpe_ratio": sharpe,
        "sortino_ratio": 0.0375 / math.sqrt(0.0025 / 4) * math.sqrt(365),
        "calmar_ratio": growth / 0.05,
        "max_drawdown": -0.05,
        "max_drawdown_duration": 3.0,
        "var_95": 0.05 - 0.15 * 0.05,
        "cvar_99": 0.05,
        "win_rate": 0.5,
        "profit_factor": 99.0 / 22.0,
        "expectancy": 38.5,
        "trades": 2.0,
        "turnover": 680.0 / 1067.9 / years,
        "exposure": 0.06,
        "omega_ratio": 4.0,
        "ulcer_index": math.sqrt(2 * 0.05**2 / 5),
        "recovery_factor": 2.99,
        "average_trade": (0.99 - 0.11) / 2,
        "best_trade": 0.99,
        "worst_trade": -0.11,
        "trade_frequency": 2 / years,
        "total_commission": 3.0,
        "total_slippage": 0.6,
        "bps": 0.4 * sharpe + 0.3 * growth + 0.2 * 0.5 - 0.1 * 0.05,
    }
    assert {key: block[key] for key in expected} == pytest.approx(expected)
    assert all(math.isfinite(value) for value in block.values())


def weekdays_only() -> MetricsInput:
    """Four weeks of sessions that close on weekdays at 21:00 UTC."""
    times = np.array([d for d in range(1, 30) if d % 7 < 5], dtype=np.int64) * DAY - DAY // 8
    growth = np.array([1.02 if day % 2 else 0.99 for day in range(len(times))])
    return MetricsInput(times, np.cumprod(growth), trades_every_day=False)


def test_sessions_are_counted_where_no_universe_trades_every_day() -> None:
    equity = weekdays_only().equity
    returns = (equity[1:] / equity[:-1] - 1.0).tolist()
    expected = fmean(returns) / stdev(returns) * math.sqrt(252)
    assert compute_metrics(weekdays_only())["sharpe_ratio"] == pytest.approx(expected)


def test_all_days_are_counted_where_a_universe_trades_every_day() -> None:
    session = replace(weekdays_only(), trades_every_day=True)
    returns = daily_returns(daily_equity(session.close_times, session.equity)[1]).tolist()
    assert returns.count(0.0) == 8
    expected = fmean(returns) / stdev(returns) * math.sqrt(365)
    assert compute_metrics(session)["sharpe_ratio"] == pytest.approx(expected)


def test_the_benchmark_is_compared_on_the_days_that_count() -> None:
    session = weekdays_only()
    times = np.arange(1, 30, dtype=np.int64) * DAY - DAY // 8
    prices = np.array([100.0 + day % 7 for day in range(29)])
    block = compute_metrics(replace(session, benchmark=Benchmark(times, prices)))
    sampled = dict(zip(times.tolist(), prices.tolist(), strict=True))
    ours = (session.equity[1:] / session.equity[:-1] - 1.0).tolist()
    theirs = [sampled[t] / sampled[t - DAY] - 1.0 for t in session.close_times[1:].tolist()]
    assert block["beta"] == pytest.approx(linear_regression(theirs, ours).slope)


def test_the_risk_free_rate_lowers_every_ratio_to_it() -> None:
    free, charged = (
        compute_metrics(replace(traded(), risk_free_rate=rate)) for rate in (0.0, 0.05)
    )
    rate = 1.05 ** (1 / 365) - 1
    spread = free["annualized_volatility"]
    assert charged["sharpe_ratio"] == pytest.approx(free["sharpe_ratio"] - rate * 365 / spread)
    assert charged["sortino_ratio"] < free["sortino_ratio"]
    assert charged["omega_ratio"] < free["omega_ratio"]
    expected = free["alpha"] - 365 * rate * (1.0 - free["beta"])
    assert charged["alpha"] == pytest.approx(expected)


def test_turnover_is_measured_on_daily_and_not_on_intraday_equity() -> None:
    times = np.array([24, 30, 36, 42, 48], dtype=np.int64) * (DAY // 24)
    equity = np.array([100.0, 500.0, 500.0, 500.0, 120.0])
    fills = (SignedFill(int(times[1]), "BTC", 1.0, 55.0),)
    block = compute_metrics(MetricsInput(times, equity, trades_every_day=True, fills=fills))
    assert block["turnover"] == pytest.approx(55.0 / 110.0 * 365.25)


def test_constant_equity_has_no_return_no_risk_and_no_ratio() -> None:
    block = compute_metrics(session(*[100.0] * 30))
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
    own = replace(traded(), benchmark=Benchmark(traded().close_times, traded().equity))
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
            MetricsInput(times, np.ones(len(times), dtype=np.float64), trades_every_day=True)


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(LengthMismatch, match=r"equity has shape \(3,\)"):
        MetricsInput(daily_closes(2), np.array([1.0, 2.0, 3.0]), trades_every_day=True)
    with pytest.raises(LengthMismatch, match="gross_exposure"):
        replace(session(1.0, 2.0), gross_exposure=np.ones(1))
    with pytest.raises(LengthMismatch, match=r"benchmark\.prices"):
        replace(session(1.0, 2.0), benchmark=Benchmark(daily_closes(2), np.ones(1)))


@given(any_equity, st.booleans())
def test_no_metric_is_ever_infinite(equity: np.ndarray, every_day: bool) -> None:
    block = compute_metrics(MetricsInput(daily_closes(len(equity)), equity, every_day))
    assert list(block) == KEYS
    assert not any(math.isinf(value) for value in block.values())
    json.dumps(as_json(block), allow_nan=False)


@given(st.lists(st.floats(1.0, 1e6), min_size=5, max_size=40), st.sampled_from([0.5, 4.0, 1024.0]))
def test_metrics_of_equity_do_not_change_with_the_currency(
    equity: list[float], scale: float
) -> None:
    before = compute_metrics(session(*equity))
    after = compute_metrics(session(*(scale * e for e in equity)))
    np.testing.assert_array_equal(list(after.values()), list(before.values()))


def test_only_what_needs_fills_or_a_benchmark_is_undefined_without_them() -> None:
    block = compute_metrics(session(100.0, 104.0, 101.0, 103.0, 99.0, 107.0))
    assert {key for key, value in block.items() if math.isnan(value)} == NEED_FILLS_OR_MORE
