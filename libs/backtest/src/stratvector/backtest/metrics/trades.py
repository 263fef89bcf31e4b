"""Statistics of round trips, and of the trading that made them.

expectancy is money (account currency per round trip); average, best and worst trade are fractions
of the entered notional. Without round trips all but the counts and sums are NaN.
"""

import math

import numpy as np

from stratvector.backtest.metrics.positions import FillSeries, RoundTrips
from stratvector.backtest.metrics.sums import exact_sum
from stratvector.backtest.metrics.undefined import quotient


def win_rate(trips: RoundTrips) -> float:
    """Return the fraction of round trips with a profit above 0, net of commission."""
    return quotient(int(np.count_nonzero(trips.profit > 0.0)), len(trips))


def profit_factor(trips: RoundTrips) -> float:
    """Return the sum of profits / the sum of losses; NaN without a losing round trip."""
    gains = exact_sum(np.maximum(trips.profit, 0.0))
    losses = exact_sum(np.maximum(-trips.profit, 0.0))
    return quotient(gains, losses)


def expectancy(trips: RoundTrips) -> float:
    """Return the mean profit per round trip, account currency, net of commission.

    Equal to win rate x average win - loss rate x average loss.
    """
    return quotient(exact_sum(trips.profit), len(trips))


def average_trade(trips: RoundTrips) -> float:
    """Return the mean return fraction of the round trips; NaN when one has none."""
    return quotient(exact_sum(trips.return_fraction), len(trips))


def best_trade(trips: RoundTrips) -> float:
    """Return the highest return fraction of the round trips."""
    return float(np.max(trips.return_fraction)) if len(trips) else math.nan


def worst_trade(trips: RoundTrips) -> float:
    """Return the lowest return fraction of the round trips."""
    return float(np.min(trips.return_fraction)) if len(trips) else math.nan


def trade_frequency(trips: RoundTrips, years: float) -> float:
    """Return round trips per year of 365.25 days; NaN without elapsed time."""
    return quotient(len(trips), years)


def turnover(fills: FillSeries, mean_equity: float, years: float) -> float:
    """Return traded notional / mean equity of the session days / years; both sides count.

    A book bought and sold once in a year has a turnover of 2. NaN without elapsed time or unless
    the mean equity is positive.
    """
    notional = exact_sum(np.abs(fills.quantity * fills.price))
    return quotient(quotient(notional, max(mean_equity, 0.0)), years)


def total_commission(fills: FillSeries) -> float:
    """Return the commission of all fills, open positions included, account currency."""
    return exact_sum(fills.commission)


def total_slippage(fills: FillSeries) -> float:
    """Return the slippage cost of all fills, account currency; it is part of their prices."""
    return exact_sum(fills.slippage_cost)
