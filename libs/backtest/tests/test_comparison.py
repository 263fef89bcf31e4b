"""What a result is compared with: a benchmark, buy and hold of the universe, a risk-free rate."""

import math
from itertools import pairwise
from statistics import fmean, linear_regression

import numpy as np
import pandas
import pytest

from stratvector.backtest import Backtest, Result, document
from stratvector.trading.bars import Bars
from stratvector.trading.benchmark import (
    HELD_UNIVERSE,
    BadBenchmark,
    Benchmark,
    benchmark_document,
    benchmark_from,
    held_universe,
    thinned,
)
from tests.sessions.buy_and_hold import DAY_NS, FREE, BuyAndHold, panel, rows_of

CLOSES = 120


@pytest.fixture(scope="module")
def bars() -> Bars:
    """Two symbols over 120 days."""
    random = np.random.default_rng(4)
    moves = 1.0 + random.normal(0.001, 0.02, (CLOSES, 2))
    return panel((np.array([100.0, 40.0]) * np.cumprod(moves, axis=0)).tolist())


@pytest.fixture(scope="module")
def alone(bars: Bars) -> Result:
    """Nothing said about a benchmark."""
    return Backtest(bars, BuyAndHold(), costs=FREE).run()


def returns(values: list[float]) -> list[float]:
    return [b / a - 1.0 for a, b in pairwise(values)]


def test_without_a_benchmark_a_run_is_compared_with_its_universe_bought_and_held(
    bars: Bars, alone: Result
) -> None:
    held = (bars.close / bars.close[0]).mean(axis=1).tolist()
    ours, theirs = returns(alone.equity["equity"].to_list()), returns(held)
    slope = linear_regression(theirs, ours).slope
    assert alone.benchmark is not None
    assert alone.benchmark.name == HELD_UNIVERSE
    assert alone.benchmark_return == pytest.approx(held[-1] - 1.0)
    assert alone.metrics["beta"] == pytest.approx(slope)
    assert alone.metrics["alpha"] == pytest.approx((fmean(ours) - slope * fmean(theirs)) * 365.25)
    assert math.isfinite(alone.metrics["information_ratio"])


def test_a_symbol_bars_or_a_frame_can_be_the_benchmark(bars: Bars) -> None:
    one = bars.select(["B"])
    ways = ("B", one, pandas.DataFrame(rows_of(one)))
    told = [Backtest(bars, BuyAndHold(), costs=FREE, benchmark=way).run() for way in ways]
    ours = returns(told[0].equity["equity"].to_list())
    slope = linear_regression(returns(one.close[:, 0].tolist()), ours).slope
    for result in told:
        assert result.metrics == told[0].metrics
        assert result.metrics["beta"] == pytest.approx(slope)
        assert document(result, {})["benchmark"] == {
            "name": "B",
            "total_return": pytest.approx(float(one.close[-1, 0] / one.close[0, 0]) - 1.0),
        }


def test_a_risk_free_rate_is_charged_and_stands_in_the_document(bars: Bars, alone: Result) -> None:
    charged = Backtest(bars, BuyAndHold(), costs=FREE, risk_free_rate=0.05).run()
    rate = 1.05 ** (1 / 365.25) - 1
    spread = alone.metrics["annualized_volatility"]
    assert charged.metrics["sharpe_ratio"] == pytest.approx(
        alone.metrics["sharpe_ratio"] - rate * 365.25 / spread
    )
    assert document(charged, {})["risk_free_rate"] == 0.05
    assert document(alone, {})["risk_free_rate"] == 0.0


def test_a_benchmark_that_cannot_be_one_is_refused_in_one_sentence(bars: Bars) -> None:
    later = Bars(bars.symbols, bars.close_times + 200 * DAY_NS, *_values(bars)).select(["A"])
    for benchmark, said in (
        ("a", "benchmark 'a' is not a symbol of the bars; did you mean A?"),
        ("SPY", "benchmark 'SPY' is not a symbol of the bars; there are A, B"),
        (bars, "benchmark has bars of 2 symbols; it must have one"),
        (later, "benchmark A begins at 2020-07-20T00:00:00Z, after the last close"),
    ):
        with pytest.raises(ValueError, match=f"^{said.replace('?', '[?]')}"):
            Backtest(bars, BuyAndHold(), benchmark=benchmark)
    with pytest.raises(TypeError, match=r"^benchmark must be Bars or a pandas or polars frame"):
        Backtest(bars, BuyAndHold(), benchmark=3.0)
    for rate in (math.nan, math.inf, -1.0, True):
        with pytest.raises(BadBenchmark, match=r"^risk_free_rate is"):
            Backtest(bars, BuyAndHold(), risk_free_rate=rate)


def test_prices_that_are_no_prices_are_refused() -> None:
    times = np.array([1, 2], np.int64) * DAY_NS
    for prices, said in (
        ([1.0, 0.0], "is 0.0 at 1970-01-03"),
        ([math.nan, 1.0], "is nan at 1970-01-02"),
        ([1.0, math.inf], "is inf at 1970-01-03"),
        ([1.0], r"has prices of shape \(1,\), but 2 closes"),
    ):
        with pytest.raises(BadBenchmark, match=f"^benchmark SPY {said}"):
            Benchmark(times, np.array(prices), "SPY")
    with pytest.raises(BadBenchmark, match="must be at least one, and increase"):
        Benchmark(times[::-1], np.ones(2))


def test_a_benchmark_that_begins_late_is_a_caveat(bars: Bars) -> None:
    late = bars.select(["A"]).window(40, CLOSES)
    result = Backtest(bars, BuyAndHold(), benchmark=late).run()
    (caveat,) = [c for c in result.caveats if c.code == "short_benchmark"]
    assert (caveat.subject, caveat.first) == ("A", int(bars.close_times[40]))
    ours = returns(result.equity["equity"].to_list())[40:]
    theirs = returns(late.close[:, 0].tolist())
    assert result.metrics["beta"] == pytest.approx(linear_regression(theirs, ours).slope)


def test_the_held_universe_buys_each_symbol_once_at_its_first_close() -> None:
    nan = math.nan
    close = np.array([[nan, 10.0, nan], [5.0, 20.0, nan], [nan, 15.0, nan], [10.0, nan, nan]])
    times = np.arange(1, 5, dtype=np.int64) * DAY_NS
    held = held_universe(times, close)
    assert held is not None
    # The third symbol never has a price; the first lies idle, then stands still on its gap.
    assert held.prices.tolist() == [1.0, 1.5, 1.25, 1.75]
    assert held_universe(times, np.full((4, 2), nan)) is None


def test_a_benchmark_crosses_a_document_with_its_bits_and_one_price_a_day() -> None:
    hours = np.array([20, 24, 25, 47, 71, 72], np.int64) * (DAY_NS // 24)
    prices = np.array([1.0, 0.1 + 0.2, 3.0, 4.1, 5.0, 1 / 3])
    day = thinned(Benchmark(hours, prices, "SPY"))
    assert day.close_times.tolist() == hours[[1, 3, 5]].tolist()
    again = benchmark_from(benchmark_document(day))
    assert again is not None
    assert again.prices.tobytes() == prices[[1, 3, 5]].tobytes()
    assert (again.name, again.close_times.tolist()) == ("SPY", day.close_times.tolist())
    assert benchmark_from(benchmark_document(None)) is None


def _values(bars: Bars) -> list[np.ndarray]:
    return [getattr(bars, name) for name in ("open", "high", "low", "close", "volume")]
