"""Statistics of round trips, and of the trading that made them.

expectancy is money (account currency per round trip); average, best and worst trade are fractions
of the entered notional. Without round trips all but the counts and sums are NaN.
"""

import math
from collections.abc import Sequence

from stratvector.backtest.metrics.positions import RoundTrip, SignedFill
from stratvector.backtest.metrics.undefined import quotient


def win_rate(trips: Sequence[RoundTrip]) -> float:
    """Return the fraction of round trips with a profit above 0, net of commission."""
    return quotient(sum(trip.profit > 0.0 for trip in trips), len(trips))


def profit_factor(trips: Sequence[RoundTrip]) -> float:
    """Return the sum of profits / the sum of losses; NaN without a losing round trip."""
    gains = math.fsum(max(trip.profit, 0.0) for trip in trips)
    losses = math.fsum(max(-trip.profit, 0.0) for trip in trips)
    return quotient(gains, losses)


def expectancy(trips: Sequence[RoundTrip]) -> float:
    """Return the mean profit per round trip, account currency, net of commission.

    Equal to win rate x average win - loss rate x average loss.
    """
    return quotient(math.fsum(trip.profit for trip in trips), len(trips))


def average_trade(trips: Sequence[RoundTrip]) -> float:
    """Return the mean return fraction of the round trips; NaN when one has none."""
    return quotient(math.fsum(trip.return_fraction for trip in trips), len(trips))


def best_trade(trips: Sequence[RoundTrip]) -> float:
    """Return the highest return fraction of the round trips."""
    return max((trip.return_fraction for trip in trips), default=math.nan)


def worst_trade(trips: Sequence[RoundTrip]) -> float:
    """Return the lowest return fraction of the round trips."""
    return min((trip.return_fraction for trip in trips), default=math.nan)


def trade_frequency(trips: Sequence[RoundTrip], years: float) -> float:
    """Return round trips per year of 365.25 days; NaN without elapsed time."""
    return quotient(len(trips), years)


def turnover(fills: Sequence[SignedFill], mean_equity: float, years: float) -> float:
    """Return traded notional / mean equity of the session days / years; both sides count.

    A book bought and sold once in a year has a turnover of 2. NaN without elapsed time or unless
    the mean equity is positive.
    """
    notional = math.fsum(abs(fill.quantity * fill.price) for fill in fills)
    return quotient(quotient(notional, max(mean_equity, 0.0)), years)


def total_commission(fills: Sequence[SignedFill]) -> float:
    """Return the commission of all fills, open positions included, account currency."""
    return math.fsum(fill.commission for fill in fills)


def total_slippage(fills: Sequence[SignedFill]) -> float:
    """Return the slippage cost of all fills, account currency; it is part of their prices."""
    return math.fsum(fill.slippage_cost for fill in fills)
