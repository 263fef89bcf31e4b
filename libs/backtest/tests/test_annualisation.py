"""Periods per year come from the session's own pace, and too few of them tell no year."""

import math
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np
import pytest

from stratvector.backtest.metrics import ANNUALISED, MetricsInput, compute_metrics, rank

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
MONDAY = 4 * DAY  # 1970-01-05, 00:00 UTC


def stamps(instants: list[int]) -> np.ndarray:
    return np.array(instants, dtype=np.int64)


def session(times: np.ndarray) -> MetricsInput:
    """Equity that goes up by 2 and down by 1 per cent in turn."""
    moves = np.where(np.arange(len(times)) % 2 == 1, 1.02, 0.99)
    moves[0] = 1.0
    return MetricsInput(times, np.asarray(1000.0 * np.cumprod(moves), np.float64))


def in_turn(count: int) -> list[float]:
    return [0.02 if n % 2 == 0 else -0.01 for n in range(count)]


def weekdays(weeks: int) -> list[int]:
    return [MONDAY + d * DAY + 21 * HOUR for d in range(7 * weeks) if d % 7 < 5]


PACES = {
    # closes, returns, elapsed days
    "weekly": ([MONDAY + 7 * DAY * week for week in range(53)], 52, 364.0),
    "every fourth week": ([MONDAY + 28 * DAY * month for month in range(40)], 39, 1092.0),
    "every day": ([MONDAY + day * DAY for day in range(101)], 100, 100.0),
    "weekdays": (weekdays(52), 259, 361.0),
    "weekdays and one saturday": (
        sorted([*weekdays(52), MONDAY + 5 * DAY + 21 * HOUR]),
        260,
        361.0,
    ),
}


@pytest.mark.parametrize("pace", PACES)
def test_a_year_has_as_many_periods_as_the_session_shows(pace: str) -> None:
    times, count, days = PACES[pace]
    per_year = count * 365.25 / days
    returns = in_turn(count)
    block = compute_metrics(session(stamps(times)))
    growth = math.prod(1.0 + r for r in returns)
    sharpe = fmean(returns) / stdev(returns) * math.sqrt(per_year)
    downside = math.sqrt(fmean(min(r, 0.0) ** 2 for r in returns))
    expected = {
        "annualized_return": growth ** (365.25 / days) - 1.0,
        "annualized_volatility": stdev(returns) * math.sqrt(per_year),
        "sharpe_ratio": sharpe,
        "sortino_ratio": fmean(returns) / downside * math.sqrt(per_year),
        "calmar_ratio": (growth ** (365.25 / days) - 1.0) / 0.01,
        "max_drawdown": -0.01,
    }
    assert {key: block[key] for key in expected} == pytest.approx(expected)


def test_one_saturday_session_changes_a_year_by_a_day_and_not_by_a_hundred() -> None:
    quiet, busy = (compute_metrics(session(stamps(PACES[p][0]))) for p in list(PACES)[3:])
    assert busy["annualized_volatility"] == pytest.approx(quiet["annualized_volatility"], rel=0.01)


def test_a_currency_week_that_opens_on_sunday_evening_has_six_observations() -> None:
    # Hourly from Sunday 22:00 to Friday 22:00 UTC, twenty weeks.
    week = [MONDAY - 2 * HOUR + hour * HOUR for hour in range(1, 121)]
    times = stamps([t + 7 * DAY * n for n in range(20) for t in week])
    moves = np.where(np.arange(len(times)) % 7 == 3, 1.003, 0.9995)
    equity: np.ndarray = np.asarray(1000.0 * np.cumprod(moves), np.float64)
    known = dict(zip(times.tolist(), equity.tolist(), strict=True))
    ends: dict[int, float] = {}
    for time, value in known.items():
        ends[-(-time // DAY)] = value  # the last close of each UTC date; 00:00 ends its day
    # The week begins at 23:00 and 24:00 on Sunday, so that the first day has a return of its own.
    samples = [float(equity[0]), *ends.values()]
    returns = [b / a - 1.0 for a, b in pairwise(samples)]
    assert len(returns) == 20 * 6
    elapsed = 19 * 7 + 119 / 24
    block = compute_metrics(MetricsInput(times, equity))
    assert block["annualized_volatility"] == pytest.approx(
        stdev(returns) * math.sqrt(120 * 365.25 / elapsed)
    )


SHORT = {
    "four days of half hours": [MONDAY + n * HOUR // 2 for n in range(1, 4 * 48 + 1)],
    "nine bars": [MONDAY + n * DAY for n in range(9)],
    "five hours": [MONDAY + n * HOUR for n in range(1, 6)],
    "one return less than thirty": [MONDAY + 7 * n * DAY for n in range(30)],
    "a second less than ninety days": [
        *(MONDAY + n * DAY for n in range(90)),
        MONDAY + 90 * DAY - 1,
    ],
    "one close": [MONDAY],
}


@pytest.mark.parametrize("name", SHORT)
def test_under_thirty_returns_or_ninety_days_nothing_is_told_per_year(name: str) -> None:
    block = compute_metrics(session(stamps(SHORT[name])))
    assert all(math.isnan(block[key]) for key in ANNUALISED)
    assert math.isfinite(block["total_return"])
    assert math.isfinite(block["max_drawdown"])


@pytest.mark.parametrize(("step", "closes"), [(1, 91), (7, 31), (3, 31)])
def test_thirty_returns_over_ninety_days_are_enough(step: int, closes: int) -> None:
    block = compute_metrics(session(stamps([MONDAY + n * step * DAY for n in range(closes)])))
    assert math.isfinite(block["sharpe_ratio"])
    assert block["turnover"] == block["trade_frequency"] == 0.0


def test_a_run_that_is_too_short_sorts_behind_every_other() -> None:
    short = compute_metrics(session(stamps(SHORT["nine bars"])))["sharpe_ratio"]
    assert rank(np.array([short, -3.0, 0.5])).tolist() == [2, 1, 0]


def test_a_fall_at_midday_is_in_the_drawdown_and_not_in_the_daily_one() -> None:
    times = stamps([MONDAY + n * 12 * HOUR for n in range(2 * 100)])
    equity = np.full(len(times), 100.0)
    equity[times % DAY == 12 * HOUR] = 99.0
    equity[41] = 70.0
    block = compute_metrics(MetricsInput(times, equity))
    assert times[41] % DAY == 12 * HOUR
    assert (block["max_drawdown"], block["max_drawdown_daily"]) == pytest.approx((-0.3, -0.01))
    assert block["max_drawdown_duration"] == 1.0
    assert block["recovery_factor"] == pytest.approx(-0.01 / 0.3)


def test_the_ulcer_index_counts_session_days_only() -> None:
    times = stamps(weekdays(20))
    equity = np.full(len(times), 100.0)
    equity[4::5] = 90.0  # each Friday; three calendar days, one session day
    block = compute_metrics(MetricsInput(times, equity))
    assert block["ulcer_index"] == pytest.approx(math.sqrt(0.1**2 / 5))


@pytest.mark.parametrize("seed", range(50))
def test_weekly_and_monthly_closes_of_one_series_show_its_volatility(seed: int) -> None:
    random = np.random.default_rng(seed)
    days = 10 * 365
    sigma = random.uniform(0.002, 0.03)
    equity = 1000.0 * np.cumprod(1.0 + random.normal(0.0002, sigma, days))
    times = MONDAY + np.arange(days, dtype=np.int64) * DAY

    def told(rows: np.ndarray) -> float:
        return compute_metrics(MetricsInput(times[rows], equity[rows]))["annualized_volatility"]

    daily = told(np.arange(days))
    assert daily == pytest.approx(sigma * math.sqrt(365.25), rel=4 / math.sqrt(2 * days))
    months = times.astype("datetime64[ns]").astype("datetime64[M]")
    for rows in (np.arange(0, days, 7), np.flatnonzero(months[1:] != months[:-1])):
        # Four standard errors of a deviation of n returns, and what compounding adds to them.
        tolerance = 4 / math.sqrt(2 * (len(rows) - 1)) + 0.02
        assert told(rows) == pytest.approx(daily, rel=tolerance)
