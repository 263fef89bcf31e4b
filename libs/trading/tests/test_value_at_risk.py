"""What is asked about a portfolio's next day, and what the answer does to budgets."""

from dataclasses import replace

import numpy as np
import pytest

from stratvector.trading.bars import ClosedBars
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio, RiskLimits
from stratvector.trading.value_at_risk import (
    RETURNS_MAX,
    RETURNS_MIN,
    DailyMarks,
    NoQuestion,
    multipliers,
    no_loss,
    question,
)
from tests.sessions.flat_bars import flat_bars
from tests.sessions.scripted_sessions import Script, scripted_session

DAY = 86_400_000_000_000
HOUR = DAY // 24
PORTFOLIO = scripted_session(
    Script({"A": [10.0] * 4, "B": [20.0] * 4}, {"model": {"A": [0.0] * 4}})
).portfolio
UNIVERSE = PORTFOLIO.universes[0]


def bars(close_time: int, *closes: float) -> ClosedBars:
    return flat_bars(UNIVERSE, close_time, *closes)


def folded(rows: list[tuple[float, ...]], per_day: int = 1) -> DailyMarks:
    daily = DailyMarks(PORTFOLIO)
    for number, closes in enumerate(rows):
        close_time = (number // per_day) * DAY + (number % per_day + 1) * HOUR
        daily.observe(close_time, [bars(close_time, *closes)])
    return daily


def walk(days: int, seed: int = 1) -> list[tuple[float, ...]]:
    steps = np.random.default_rng(seed).normal(0.0, [0.01, 0.03], size=(days, 2))
    return [tuple(row) for row in (np.array([10.0, 20.0]) * np.exp(np.cumsum(steps, axis=0)))]


def test_returns_go_from_the_last_mark_of_a_date_to_the_last_of_the_next() -> None:
    daily = folded([(1.0, 1.0), (2.0, 1.0), (9.0, 1.0), (4.0, 1.0), (5.0, 1.0)], per_day=2)
    assert daily.returns([0])[:, 0] == pytest.approx([np.log(2.0)])


def test_a_close_at_midnight_ends_the_date_before() -> None:
    daily = DailyMarks(PORTFOLIO)
    for close_time, price in ((DAY, 1.0), (2 * DAY, 2.0), (2 * DAY + 1, 7.0), (3 * DAY + 1, 3.0)):
        daily.observe(close_time, [bars(close_time, price, 1.0)])
    assert daily.returns([0])[:, 0] == pytest.approx([np.log(2.0), np.log(7.0 / 2.0)])


def test_a_missing_bar_keeps_the_mark_and_a_symbol_before_its_first_bar_gives_no_return() -> None:
    nan = float("nan")
    daily = folded([(1.0, nan), (nan, nan), (3.0, 5.0), (3.0, 10.0), (4.0, 4.0)])
    assert daily.returns([0])[:, 0] == pytest.approx([0.0, np.log(3.0), 0.0])
    assert daily.returns([0, 1]) == pytest.approx(np.array([[0.0, np.log(2.0)]]))


def test_no_more_dates_are_kept_than_are_used() -> None:
    daily = folded(walk(RETURNS_MAX + 50))
    assert len(daily.returns([0, 1])) == RETURNS_MAX


def test_the_question_tells_what_is_held_and_how_it_moved() -> None:
    rows = walk(200)
    asked = question(PORTFOLIO, 7, folded(rows), {"B": -4}, 1_000.0)
    deviation = np.std(np.diff(np.log([row[1] for row in rows[:-1]])), ddof=1)
    assert (asked.symbols, asked.quantities, asked.as_of) == (("B",), (-4.0,), 7)
    assert asked.prices == (rows[-1][1],)
    assert asked.cash == pytest.approx(1_000.0 + 4 * rows[-1][1])
    assert asked.volatilities == pytest.approx([deviation * np.sqrt(365)])
    assert asked.correlation == ((1.0,),)


def test_correlation_is_that_of_the_returns_and_a_symbol_that_never_moves_has_none() -> None:
    rows = walk(200)
    asked = question(PORTFOLIO, 7, folded(rows), {"A": 1, "B": 1}, 1_000.0)
    logs = np.diff(np.log(np.array(rows[:-1])), axis=0)
    assert asked.correlation[0][1] == pytest.approx(np.corrcoef(logs.T)[0, 1])
    still = question(PORTFOLIO, 7, folded([(a, 20.0) for a, _ in rows]), {"A": 1, "B": 1}, 1_000.0)
    assert still.volatilities[1] == 0.0
    assert still.correlation == ((1.0, 0.0), (0.0, 1.0))


def test_the_seed_belongs_to_portfolio_and_close() -> None:
    daily = folded(walk(100))
    seeds = {question(PORTFOLIO, at, daily, {"A": 1}, 1.0).seed for at in (7, 7, 8)}
    other = question(replace(PORTFOLIO, name="other"), 7, daily, {"A": 1}, 1.0).seed
    assert len(seeds) == 2
    assert other not in seeds
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("days", "lots", "equity", "why"),
    [
        (100, {}, 1.0, "nothing is held"),
        (100, {"A": 0}, 1.0, "nothing is held"),
        (100, {"A": 1}, 0.0, "equity is 0.0; equity > 0 must hold"),
        (100, {"A": 1}, float("nan"), "equity is nan; equity > 0 must hold"),
        (RETURNS_MIN + 1, {"A": 1}, 1.0, "there are 29 daily returns; it takes 30"),
    ],
)
def test_there_is_no_question_without_holdings_equity_or_history(
    days: int, lots: dict[str, int], equity: float, why: str
) -> None:
    with pytest.raises(NoQuestion, match=f"^{why}$"):
        question(PORTFOLIO, 7, folded(walk(days)), lots, equity)


def limited(limit: float | None) -> Portfolio:
    return replace(PORTFOLIO, limits=RiskLimits(value_at_risk=limit))


def figure(var_95: float, factor: float = 1.0) -> ValueAtRisk:
    return ValueAtRisk(7, 1.0, var_95, var_95 * 1.3, 10_000, 9, factor)


@pytest.mark.parametrize(
    ("limit", "found", "factor"),
    [
        (None, figure(0.9), 1.0),
        (None, figure(0.9, factor=0.3), 1.0),
        (0.02, None, 1.0),
        (0.02, figure(0.02), 1.0),
        (0.02, figure(0.019), 1.0),
        (0.02, figure(0.025), 0.8),
        (0.02, figure(-0.01), 1.0),
        (0.02, figure(0.02, factor=0.8), 0.8),
        (0.02, figure(0.016, factor=0.6), 0.75),
    ],
)
def test_budgets_shrink_in_proportion_above_the_limit_and_never_grow_beyond_it(
    limit: float | None, found: ValueAtRisk | None, factor: float
) -> None:
    assert multipliers(limited(limit), found) == pytest.approx((factor,))


def test_one_figure_at_most_halves_or_doubles_and_none_locks_the_budgets_in() -> None:
    portfolio = limited(0.02)
    assert multipliers(portfolio, figure(0.5, factor=0.6)) == (0.3,)
    assert multipliers(portfolio, figure(0.001, factor=0.3)) == (0.6,)
    assert multipliers(portfolio, figure(0.5, factor=0.01)) == (0.01,)
    assert multipliers(portfolio, no_loss(portfolio, 7, 0.3)) == (0.6,)


def test_a_loss_that_follows_the_budgets_settles_at_the_limit() -> None:
    portfolio, factor, unlimited_loss = limited(0.02), 1.0, 0.07
    for _ in range(10):
        (factor,) = multipliers(portfolio, figure(unlimited_loss * factor, factor))
    assert unlimited_loss * factor == pytest.approx(0.02)
