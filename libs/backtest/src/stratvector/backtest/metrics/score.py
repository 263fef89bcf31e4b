"""The balanced performance score, which ranks whole strategies, and the order that it gives."""

import numpy as np

from stratvector.backtest.metrics.arrays import Floats, Times


def balanced_performance_score(
    sharpe_ratio: float, annualized_return: float, win_rate: float, max_drawdown: float
) -> float:
    """Return `bps` = 0.4 Sharpe + 0.3 CAGR + 0.2 win rate - 0.1 |max drawdown|.

    Returns, win rate and drawdown (at every close) are fractions. NaN when a part is NaN: a
    strategy that never traded has no score, nor has a session too short to annualise.
    """
    return 0.4 * sharpe_ratio + 0.3 * annualized_return + 0.2 * win_rate - 0.1 * abs(max_drawdown)


def rank(values: Floats, *, highest_first: bool = True) -> Times:
    """Return the indices (n,) of values (n,) from best to worst; undefined (NaN) sorts last.

    Equal values, and all the undefined ones, keep their order.
    """
    keys = -values if highest_first else values
    return np.argsort(keys, kind="stable").astype(np.int64)
