import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stratvector.backtest.metrics import FillSeries, RoundTrips, SignedFill
from stratvector.backtest.metrics.exposure import exposure
from stratvector.backtest.metrics.trades import (
    average_trade,
    best_trade,
    expectancy,
    profit_factor,
    total_commission,
    total_slippage,
    trade_frequency,
    turnover,
    win_rate,
    worst_trade,
)

FILLS = FillSeries.of(
    [SignedFill(1, "SPY", 10, 100.0, 1.5, 0.5), SignedFill(2, "SPY", -5, 120.0, 0.5, 0.25)]
)
NO_FILLS = FillSeries.of([])

profits = st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=30)


def trips(*amounts: float) -> RoundTrips:
    """Round trips with these profits on an entered notional of 1,000 each."""
    profit, count = np.array(amounts), len(amounts)
    times, zeros = np.arange(count), np.zeros(count)
    prices = np.full(count, 100.0), 100.0 + profit / 10
    return RoundTrips(
        ("SPY",),
        np.zeros(count, np.int64),
        times,
        times + 1,
        np.full(count, 10.0),
        *prices,
        zeros,
        zeros,
        profit,
        profit / 1000.0,
    )


def test_four_round_trips_match_the_hand_calculation() -> None:
    four = trips(100.0, -50.0, 30.0, 0.0)
    assert win_rate(four) == 0.5
    assert profit_factor(four) == 2.6
    assert expectancy(four) == 20.0
    assert average_trade(four) == pytest.approx(0.02)
    assert (best_trade(four), worst_trade(four)) == (0.1, -0.05)
    assert trade_frequency(four, 0.5) == 8.0


def test_without_round_trips_nothing_but_the_frequency_is_defined() -> None:
    metrics = (win_rate, profit_factor, expectancy, average_trade, best_trade, worst_trade)
    assert all(math.isnan(metric(trips())) for metric in metrics)
    assert trade_frequency(trips(), 2.0) == 0.0
    assert math.isnan(trade_frequency(trips(), 0.0))


def test_a_record_without_losses_has_no_profit_factor() -> None:
    assert math.isnan(profit_factor(trips(10.0, 20.0)))
    assert profit_factor(trips(-10.0)) == 0.0


def test_turnover_counts_purchases_and_sales_against_mean_equity_per_year() -> None:
    assert turnover(FILLS, 800.0, 0.5) == pytest.approx(1600.0 / 800.0 / 0.5)
    assert turnover(NO_FILLS, 800.0, 0.5) == 0.0
    assert math.isnan(turnover(FILLS, 800.0, 0.0))
    assert math.isnan(turnover(FILLS, -5.0, 1.0))
    assert math.isnan(turnover(FILLS, math.nan, 1.0))


def test_costs_are_summed_over_all_fills() -> None:
    assert (total_commission(FILLS), total_slippage(FILLS)) == (2.0, 0.75)
    assert (total_commission(NO_FILLS), total_slippage(NO_FILLS)) == (0.0, 0.0)


def test_exposure_is_the_mean_over_the_closes_that_have_one() -> None:
    assert exposure(np.array([0.0, 1.2, np.nan, 0.6])) == pytest.approx(0.6)
    assert math.isnan(exposure(np.array([np.nan])))
    assert math.isnan(exposure(np.array([])))


@given(profits)
def test_expectancy_is_what_wins_bring_less_what_losses_cost(amounts: list[float]) -> None:
    wins = [p for p in amounts if p > 0]
    losses = [-p for p in amounts if p <= 0]
    assume(wins and losses)
    rate = win_rate(trips(*amounts))
    expected = rate * math.fsum(wins) / len(wins) - (1 - rate) * math.fsum(losses) / len(losses)
    assert expectancy(trips(*amounts)) == pytest.approx(expected, abs=1e-6)


@given(profits)
def test_the_average_trade_lies_between_the_worst_and_the_best(amounts: list[float]) -> None:
    all_trips = trips(*amounts)
    assert worst_trade(all_trips) - 1e-9 <= average_trade(all_trips) <= best_trade(all_trips) + 1e-9
    assert 0.0 <= win_rate(all_trips) <= 1.0
