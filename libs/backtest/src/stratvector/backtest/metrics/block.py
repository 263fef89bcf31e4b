"""The block `metrics` of a result: every key, from one session."""

import math
from collections.abc import Mapping

import numpy as np

from stratvector.backtest.metrics import benchmark, drawdowns, moments, returns, tails, trades
from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.daily import (
    daily_equity,
    daily_returns,
    elapsed_years,
    observations,
)
from stratvector.backtest.metrics.exposure import exposure
from stratvector.backtest.metrics.inputs import MetricsInput
from stratvector.backtest.metrics.round_trips import round_trips
from stratvector.backtest.metrics.score import balanced_performance_score
from stratvector.backtest.metrics.undefined import finite, mean

METRIC_KEYS = (
    "total_return",
    "annualized_return",
    "annualized_volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
    "max_drawdown_daily",
    "max_drawdown_duration",
    "var_95",
    "var_99",
    "cvar_95",
    "cvar_99",
    "win_rate",
    "profit_factor",
    "expectancy",
    "trades",
    "turnover",
    "exposure",
    "skew",
    "kurtosis",
    "omega_ratio",
    "tail_ratio",
    "ulcer_index",
    "recovery_factor",
    "alpha",
    "beta",
    "information_ratio",
    "average_trade",
    "best_trade",
    "worst_trade",
    "trade_frequency",
    "total_commission",
    "total_slippage",
    "bps",
)
"""Every metric, in the order of reports. The names are fixed; bps is the balanced score."""


ANNUALISED = (
    "annualized_return",
    "annualized_volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "turnover",
    "alpha",
    "information_ratio",
    "trade_frequency",
    "bps",
)
"""What is told per year: NaN under 30 returns or 90 days, from which no year can be told."""


def compute_metrics(session: MetricsInput) -> dict[str, float]:
    """Return every metric of a session by key, in the order of METRIC_KEYS.

    Undefined is NaN; no value is infinite. Raises BadFill for fills that cannot be matched.
    """
    with np.errstate(all="ignore"):
        _, samples = daily_equity(session.close_times, session.equity)
        observed = daily_returns(samples)
        known = observations(session.close_times)
        values = _growth(session, samples)
        values |= _distribution(observed, known.per_year, session.risk_free_rate)
        values |= _against_benchmark(session, observed, known.per_year)
        values |= _trading(session, mean(samples))
    values["bps"] = balanced_performance_score(
        values["sharpe_ratio"],
        values["annualized_return"],
        values["win_rate"],
        values["max_drawdown"],
    )
    if not known.suffice:
        values |= dict.fromkeys(ANNUALISED, math.nan)
    return {key: finite(values[key]) for key in METRIC_KEYS}


def as_json(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics for a JSON document: NaN, which JSON has not, becomes null."""
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def _growth(session: MetricsInput, samples: Floats) -> dict[str, float]:
    initial, final = float(session.equity[0]), float(session.equity[-1])
    years = elapsed_years(session.close_times)
    total_return = returns.total_return(initial, final)
    annualized_return = returns.annualized_return(initial, final, years)
    max_drawdown = drawdowns.max_drawdown(session.equity)
    return {
        "total_return": total_return,
        "annualized_return": annualized_return,
        "calmar_ratio": drawdowns.calmar_ratio(annualized_return, max_drawdown),
        "max_drawdown": max_drawdown,
        "max_drawdown_daily": drawdowns.max_drawdown(samples),
        "max_drawdown_duration": drawdowns.max_drawdown_duration(
            session.close_times, session.equity
        ),
        "ulcer_index": drawdowns.ulcer_index(samples),
        "recovery_factor": drawdowns.recovery_factor(total_return, max_drawdown),
    }


def _distribution(observed: Floats, periods: float, rate: float) -> dict[str, float]:
    return {
        "annualized_volatility": returns.annualized_volatility(observed, periods),
        "sharpe_ratio": returns.sharpe_ratio(observed, periods, rate),
        "sortino_ratio": returns.sortino_ratio(observed, periods, rate),
        "omega_ratio": returns.omega_ratio(observed, periods, rate),
        "var_95": tails.value_at_risk(observed, 0.95),
        "var_99": tails.value_at_risk(observed, 0.99),
        "cvar_95": tails.conditional_value_at_risk(observed, 0.95),
        "cvar_99": tails.conditional_value_at_risk(observed, 0.99),
        "tail_ratio": tails.tail_ratio(observed),
        "skew": moments.skew(observed),
        "kurtosis": moments.kurtosis(observed),
    }


def _against_benchmark(session: MetricsInput, observed: Floats, periods: float) -> dict[str, float]:
    if session.benchmark is None:
        return dict.fromkeys(("alpha", "beta", "information_ratio"), math.nan)
    theirs = benchmark.benchmark_returns(session.benchmark, session.close_times)
    return {
        "alpha": benchmark.alpha(observed, theirs, periods, session.risk_free_rate),
        "beta": benchmark.beta(observed, theirs),
        "information_ratio": benchmark.information_ratio(observed, theirs, periods),
    }


def _trading(session: MetricsInput, mean_equity: float) -> dict[str, float]:
    years = elapsed_years(session.close_times)
    trips = round_trips(session.fills)
    gross = session.gross_exposure
    return {
        "win_rate": trades.win_rate(trips),
        "profit_factor": trades.profit_factor(trips),
        "expectancy": trades.expectancy(trips),
        "trades": float(len(trips)),
        "turnover": trades.turnover(session.fills, mean_equity, years),
        "exposure": math.nan if gross is None else exposure(gross),
        "average_trade": trades.average_trade(trips),
        "best_trade": trades.best_trade(trips),
        "worst_trade": trades.worst_trade(trips),
        "trade_frequency": trades.trade_frequency(trips, years),
        "total_commission": trades.total_commission(session.fills),
        "total_slippage": trades.total_slippage(session.fills),
    }
