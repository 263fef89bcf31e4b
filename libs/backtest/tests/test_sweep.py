"""A sweep says of each point what a run of it says, to the last bit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numba
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stratvector.backtest import Backtest, BadGrid, Bars, Costs, Interrupted, RiskLimits, heatmap
from stratvector.backtest import sweep as sweeps
from stratvector.backtest.column_figures import DEPTH_MAX, pairwise_sum
from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.sweep import MEASURES
from stratvector.strategies import MomentumStrategy, strategy
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.engine.scan import Scan

GRID = {"short_window": range(2, 6), "long_window": range(4, 12, 3)}
STRICT = RiskLimits(gross=1.0, symbol=0.4, drawdown_halt=0.2, drawdown_trigger=0.1, daily_loss=0.05)


def shorter(parameters: Any) -> bool:
    return bool(parameters.short_window < parameters["long_window"])


def backtest(
    symbols: int = 1, limits: RiskLimits = STRICT, closes: int = 130, **parameters: int
) -> Backtest:
    bars, model = trial_bars(closes, symbols=symbols, seed=3), MomentumStrategy(**parameters)
    costs = Costs(commission=0.002, slippage=0.001)
    return Backtest(bars, model, costs=costs, limits=limits, risk_free_rate=0.02)


def alone(symbols: int, limits: RiskLimits, row: dict[str, Any]) -> dict[str, float]:
    """The same measures of a run of one point."""
    result = backtest(symbols, limits, **{name: row[name] for name in GRID}).run()
    others = {"final_equity": result.final_equity, "fills": float(len(result.fills))}
    return {name: {**result.metrics, **others}[name] for name in MEASURES}


@pytest.mark.parametrize("symbols", [1, 3])
@pytest.mark.parametrize("limits", [STRICT, replace(STRICT, rebalance_band=0.05)])
def test_every_row_is_the_run_of_its_point(symbols: int, limits: RiskLimits) -> None:
    table = backtest(symbols, limits).sweep(GRID, where=shorter)
    assert len(table) == 10
    for row in table.iter_rows(named=True):
        told = {name: float(row[name]) for name in MEASURES}
        assert repr(told) == repr(alone(symbols, limits, row)), row


def test_a_short_sweep_has_no_annual_figures_and_keeps_the_grids_order() -> None:
    table = backtest(closes=40).sweep({"long_window": [20, 30, 12]})
    assert table["sharpe_ratio"].is_nan().all()
    assert table["long_window"].to_list() == [20, 30, 12]
    assert not table["total_return"].is_nan().any()


@pytest.mark.parametrize("block_bytes", [1, 40_000])
def test_neither_blocks_nor_threads_change_a_bit(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backtest().sweep(GRID, where=shorter)
    monkeypatch.setattr(sweeps, "BLOCK_BYTES", block_bytes)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert backtest().sweep(GRID, where=shorter).equals(whole)
    finally:
        numba.set_num_threads(threads)


def test_rows_are_ranked_and_what_is_undefined_comes_last() -> None:
    table = backtest().sweep(
        {"short_window": [2, 3], "long_window": [5, 129]}, rank_by="sharpe_ratio"
    )
    told = table["sharpe_ratio"].to_list()
    known = [value for value in told if not math.isnan(value)]
    assert known == sorted(known, reverse=True)
    assert told[: len(known)] == known
    quiet = backtest().sweep(GRID, where=shorter, rank_by="annualized_volatility")
    assert quiet["annualized_volatility"].is_sorted()


def test_progress_is_told_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "BLOCK_BYTES", 1)
    told: list[tuple[int, int]] = []
    backtest().sweep(GRID, where=shorter, progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]


@dataclass(frozen=True)
class Stopped(MomentumStrategy):
    """Somebody presses Ctrl-C at the sixth point."""

    @classmethod
    def scans_of_each(cls, strategies: Sequence[Self], bars: Bars) -> Iterator[Scan]:
        for number, scan in enumerate(super().scans_of_each(strategies, bars)):
            if number == 5:
                raise KeyboardInterrupt
            yield scan


def test_an_interrupted_sweep_keeps_the_points_that_are_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeps, "BLOCK_BYTES", 1)
    stopped = Backtest(trial_bars(60), Stopped(), check=False)
    with pytest.warns(Interrupted, match="interrupted: 4 of 10 points were finished"):
        table = stopped.sweep(GRID, where=shorter)
    assert len(table) == 4


@strategy(history="window")
def above(bars: Any, window: int = 5, share: float = 0.5) -> Floats:
    return np.where(bars.close > bars.indicators.sma(window), share / len(bars.symbols), 0.0)


def test_a_function_is_swept_like_any_other_strategy() -> None:
    table = Backtest(trial_bars(90), above).sweep({"window": [3, 6], "share": np.array([0.5, 1.0])})
    assert table.columns[:2] == ["window", "share"]
    best = above(window=table["window"][0], share=table["share"][0])
    assert Backtest(trial_bars(90), best).run().final_equity == table["final_equity"][0]


def test_a_heatmap_has_a_row_and_a_column_per_value() -> None:
    table = backtest().sweep(GRID, where=shorter)
    shown = heatmap(table, "short_window", "long_window", "total_return")
    assert shown.columns == ["long_window", "2", "3", "4", "5"]
    assert shown["long_window"].to_list() == [4, 7, 10]
    at = table.filter((pl.col("short_window") == 3) & (pl.col("long_window") == 7))
    assert shown.filter(pl.col("long_window") == 7)["3"][0] == at["total_return"][0]
    assert shown["4"][0] is None
    with pytest.raises(ValueError, match=r"no column 'long'.*long_window"):
        heatmap(table, "long", "short_window", "fills")


@pytest.mark.parametrize(
    ("grid", "where", "sentence"),
    [
        ({}, None, "needs at least one parameter of MomentumStrategy: short_window, long_window"),
        ({"short": [1]}, None, "'short' is no parameter of MomentumStrategy.*short_window"),
        ({"short_window": 5}, None, "gives short_window = 5; it must be a list of values"),
        ({"short_window": []}, None, "has no value of short_window"),
        ({"short_window": [40]}, None, "short_window 40 must be below long_window 30; leave such"),
        ({"short_window": [3]}, lambda p: False, "where keeps none of the 1 points"),
    ],
)
def test_a_bad_grid_is_refused_in_one_sentence(grid: Any, where: Any, sentence: str) -> None:
    with pytest.raises(BadGrid, match=sentence):
        backtest().sweep(grid, where)


def test_an_unknown_measure_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"rank_by is 'sharpe', no measure.*sharpe_ratio"):
        backtest().sweep(GRID, where=shorter, rank_by="sharpe")


@given(
    hnp.arrays(
        np.float64, st.integers(0, 3000), elements=st.floats(-1e6, 1e6), fill=st.floats(-1, 1)
    )
)
def test_sums_are_added_in_numpys_order(values: Floats) -> None:
    parts, sums = np.empty((DEPTH_MAX, 3), np.int64), np.empty(DEPTH_MAX)
    assert pairwise_sum(values, parts, sums) == np.sum(values)
