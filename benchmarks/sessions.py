"""Sessions that benchmarks run: made up, the same each time."""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies import MomentumStrategy
from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import (
    Account,
    Costs,
    ModelAllocation,
    Portfolio,
    RiskLimits,
    Universe,
)
from stratvector.trading.session import History, Session

Floats = NDArray[np.float64]
HOUR_NS = 3_600 * 10**9
START = 400_000 * HOUR_NS
SYMBOLS = 10
SHORT, LONG = 10, 30
MOVE = 0.01  # standard deviation of a return per close
LIFE_MOVE, LIFE_REVERTING = 0.005, 1e-4


def synthetic_session(closes: int, seed: int = 1) -> Session:
    """One universe of ten symbols that closes every hour, traded by two moving averages.

    Random walks; a symbol is ordered about once in twenty closes: one order in two closes.
    """
    return _session(closes, seed, MOVE, 0.0, Costs())


def synthetic_life(closes: int, seed: int = 1) -> Session:
    """The same for lives of any length: prices come back to where they began, nothing costs.

    Costs alone take a portfolio's cash within 100,000 closes, and a walk takes prices out of
    what their grid can say, so that a longer life would end with closes that do nothing.
    """
    return _session(closes, seed, LIFE_MOVE, LIFE_REVERTING, Costs(0.0, 0.0))


def _session(closes: int, seed: int, move: float, reverting: float, costs: Costs) -> Session:
    """move : of returns. reverting : what of a log price's distance is lost at each close."""
    random = np.random.default_rng(seed)
    instruments = tuple(
        Instrument(f"S{n}", f"S{n}", "crypto", 2, Decimal("0.001")) for n in range(SYMBOLS)
    )
    universe = Universe("synthetic", "1H", "24/7", instruments)
    times = START + np.arange(-LONG, closes, dtype=np.int64) * HOUR_NS
    shape = (len(times), SYMBOLS)
    close = 100.0 * np.exp(_walk(random.normal(0.0, move, shape), reverting))
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    bars = Bars(universe.symbols, times, opened, high, low, close, np.full(shape, 1e9))
    portfolio = Portfolio(
        "bench",
        (Account("paper", Decimal(1_000_000)),),
        (universe,),
        (ModelAllocation("momentum", "synthetic", 1.0),),
        RiskLimits(gross=1.2, rebalance_band=0.02, minimum_order_notional=10.0),
        costs,
    )
    strategies = {"momentum": MomentumStrategy(short_window=SHORT, long_window=LONG)}
    return Session(portfolio, START, {"synthetic": History(bars, times - HOUR_NS)}, strategies)


def _walk(moves: Floats, reverting: float) -> Floats:
    """The sum of moves (float64[T, S]), of which a fraction is lost at each step."""
    if not reverting:
        return np.cumsum(moves, axis=0)
    walk = np.empty_like(moves)
    place = np.zeros(moves.shape[1])
    for t, move in enumerate(moves):
        place = place * (1.0 - reverting) + move
        walk[t] = place
    return walk
