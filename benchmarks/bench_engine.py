"""How fast the engine is, side by side with a minimal loop without limits, in one run.

Sweep: one symbol, 5,080 moving-average pairs x 5,000 bars, the full step with the limits of the
multi_model profile. Portfolio: 10 symbols x 3 models x 50,000 bars, limits on, one thread.
Decision: the decision half for 100 symbols x 3 models, called from Python as risk does.
"""

import statistics
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, report, seconds_of
from benchmarks.minimal_loop import run_columns as minimal_columns
from benchmarks.minimal_loop import run_many as minimal_many
from stratvector.strategies import Indicators
from stratvector.trading.bars import Bars
from stratvector.trading.engine import session
from stratvector.trading.engine.state import STAGES, Market, Rules, new_book, new_plan
from stratvector.trading.engine.step import decide, observe
from stratvector.trading.engine.sweep import run_columns

Floats = NDArray[np.float64]
CASH = 1_000_000.0
CASHES = np.array([CASH])  # of one account
BLOCK_COLUMNS = 254
BAND = 0.02  # as in config/system.yaml; 0.0 trades at nearly every bar
PAIRS = [(a, b) for a in range(5, 51) for b in range(20, 251, 2) if a < b]


def rules_for(symbols: int, models: int, band: float = BAND) -> Rules:
    """The multi_model profile: asset 0.40, one of two classes 0.20, gross 1.2, drawdown 15/20 %."""
    classes = min(2, symbols)
    return Rules(
        grid=np.array([[1.0, 1e4]] * symbols),
        groups=np.array([[s, s % classes, 0, 0] for s in range(symbols)], dtype=np.int64),
        budget=np.full(models, 1.0 / models),
        class_cap=np.array([np.inf, 0.2][:classes]),
        keeper=-1,
        gives=np.zeros((symbols, models), np.bool_),
        position_cap=np.inf,
        symbol_cap=np.inf,
        asset_cap=0.4,
        invested_cap=np.inf,
        gross_cap=1.2,
        capital_cap=np.inf,
        daily_loss=np.inf,
        drawdown_trigger=0.15,
        drawdown_halt=0.20,
        derisking_factor=0.5,
        rebalance_band=band,
        minimum_order_notional=10.0 if band else 0.0,
        cash_collar=np.inf,
        commission=0.001,
        slippage=0.0005,
        volume_limit=np.inf,
    )


def market_of(closes: int, symbols: int, seed: int) -> Market:
    """A seeded random walk with a drift, so that the book lives through the run."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0003, 0.01, (closes, symbols)), axis=0) / 2)
    opened = np.vstack([close[:1], close[:-1]]) * (1.0 + random.normal(0.0, 0.001, close.shape))
    everything = np.ones(close.shape, np.bool_)
    days = np.arange(closes, dtype=np.int64)
    return Market(np.ascontiguousarray(opened), close, np.full(close.shape, 1e6), everything, days)


def sweep_weights(market: Market) -> Floats:
    """Long above the slower average: float64[columns, T]."""
    close = market.close
    times = np.arange(len(close), dtype=np.int64)
    bars = Bars(("A",), times, close, close, close, close, market.volume)
    indicators = Indicators(bars)
    averages = {n: indicators.sma(n)[:, 0] for n in {n for pair in PAIRS for n in pair}}
    weights = np.zeros((len(PAIRS), len(close)))
    for column, (fast, slow) in enumerate(PAIRS):
        weights[column] = averages[fast] > averages[slow]
    return weights


def bench_sweep(band: float) -> Figure:
    """Columns per second on all cores."""
    closes = 5_000
    market, rules = market_of(closes, 1, seed=7), rules_for(1, 1, band)
    weights, multipliers = sweep_weights(market), np.ones((closes, 1))
    equity, fills = np.zeros((BLOCK_COLUMNS, closes)), np.zeros(BLOCK_COLUMNS, np.int64)
    opened, close = market.open[:, 0].copy(), market.close[:, 0].copy()
    whole = weights.reshape(len(weights), closes, 1, 1)

    def ours() -> None:
        for first in range(0, len(weights), BLOCK_COLUMNS):
            block = whole[first : first + BLOCK_COLUMNS]
            run_columns(market, block, multipliers, CASH, CASHES, rules, equity, fills, (0,), (0,))

    def theirs() -> None:
        for first in range(0, len(weights), BLOCK_COLUMNS):
            block = weights[first : first + BLOCK_COLUMNS]
            minimal_columns(opened, close, block, CASH, band, equity)

    ours_seconds, theirs_seconds = seconds_of(ours, theirs)
    rate, bare = len(weights) / ours_seconds, len(weights) / theirs_seconds
    return Figure(
        f"sweep, {len(weights):,} columns x {closes:,} bars, band {band}",
        "minimal loop without limits",
        rate,
        bare,
        "columns/s",
        rate / bare,
        ">= 25,000 columns/s",
        rate >= 25_000,
    )


def held_weights(closes: int, symbols: int, models: int) -> Floats:
    """Models that hold a fifth of their budget in two symbols of five, for sixty bars at a time."""
    random = np.random.default_rng(3)
    held = random.random((closes // 50, models, symbols)) < 0.4
    return np.ascontiguousarray(held.repeat(50, axis=0) * 0.2)


def bench_portfolio(band: float) -> Figure:
    """Symbol-bars per second, one thread."""
    closes, symbols, models = 50_000, 10, 3
    market, rules = market_of(closes, symbols, seed=8), rules_for(symbols, models, band)
    weights, multipliers = held_weights(closes, symbols, models), np.ones((closes, models))
    netted = np.ascontiguousarray(weights.sum(axis=1) / models)
    equity = np.zeros(closes)
    axes = (session.indices(symbols), session.unrolled_models(models))
    halted: list[int] = []

    def ours() -> None:
        book, plan = (
            new_book(symbols, models, CASH, CASHES),
            new_plan(symbols, models, symbols, None),
        )
        session.run_bare(market, weights, multipliers, book, rules, plan, equity, *axes)
        halted.append(int(book.latch[1]))

    theirs = partial(minimal_many, market.open, market.close, netted, CASH, band, equity)
    ours_seconds, theirs_seconds = seconds_of(ours, theirs)
    if any(halted):
        raise SystemExit(
            "bench-engine: the portfolio halted, so the figure would be of an idle book"
        )
    rate, bare = (closes * symbols / seconds / 1e6 for seconds in (ours_seconds, theirs_seconds))
    return Figure(
        f"portfolio, {symbols} symbols x {models} models x {closes:,} bars, band {band}, 1 thread",
        "minimal loop, netted, no limits",
        rate,
        bare,
        "million symbol-bars/s",
        rate / bare,
        ">= 20 million symbol-bars/s",
        rate >= 20.0,
    )


def bench_decision() -> Figure:
    """Microseconds of the decision half for 100 symbols, called from Python."""
    closes, symbols, models = 2_000, 100, 3
    market, rules = market_of(closes, symbols, seed=9), rules_for(symbols, models)
    weights, multipliers = held_weights(closes, symbols, models) * 0.1, np.ones((closes, models))
    book = new_book(symbols, models, CASH, CASHES)
    plan = new_plan(symbols, models, symbols, np.zeros((STAGES, symbols)))
    axes = (session.indices(symbols), session.indices(models))
    taken = []
    for t in range(closes):
        started = perf_counter()
        value = observe(t, market, weights, book, rules, plan, *axes)
        decide(t, value, market, multipliers, book, rules, plan, *axes)
        taken.append((perf_counter() - started) * 1e6)
    middle = statistics.median(taken[10:])
    return Figure(
        f"decision half, {symbols} symbols x {models} models, from Python",
        "-",
        middle,
        None,
        "microseconds",
        None,
        "<= 30 microseconds",
        middle <= 30.0,
    )


if __name__ == "__main__":
    report(
        "engine",
        [
            bench_sweep(BAND),
            bench_sweep(0.0),
            bench_portfolio(BAND),
            bench_portfolio(0.0),
            bench_decision(),
        ],
    )
