"""Sessions that benchmarks run: made up, the same each time."""

from decimal import Decimal

import numpy as np

from stratvector.strategies import MomentumStrategy
from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import Account, ModelAllocation, Portfolio, RiskLimits, Universe
from stratvector.trading.session import History, Session

HOUR_NS = 3_600 * 10**9
START = 400_000 * HOUR_NS
SYMBOLS = 10
SHORT, LONG = 10, 30


def synthetic_session(closes: int, seed: int = 1) -> Session:
    """One universe of ten symbols that closes every hour, traded by two moving averages.

    Random walks; a symbol is ordered about once in twenty closes: one order in two closes.
    """
    random = np.random.default_rng(seed)
    instruments = tuple(
        Instrument(f"S{n}", f"S{n}", "crypto", 2, Decimal("0.001")) for n in range(SYMBOLS)
    )
    universe = Universe("synthetic", "1H", "24/7", instruments)
    times = START + np.arange(-LONG, closes, dtype=np.int64) * HOUR_NS
    shape = (len(times), SYMBOLS)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, shape), axis=0))
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    bars = Bars(universe.symbols, times, opened, high, low, close, np.full(shape, 1e9))
    portfolio = Portfolio(
        "bench",
        (Account("paper", Decimal(1_000_000)),),
        (universe,),
        (ModelAllocation("momentum", "synthetic", 1.0),),
        RiskLimits(gross=1.2, rebalance_band=0.02, minimum_order_notional=10.0),
    )
    strategies = {"momentum": MomentumStrategy(short_window=SHORT, long_window=LONG)}
    return Session(portfolio, START, {"synthetic": History(bars, times - HOUR_NS)}, strategies)
