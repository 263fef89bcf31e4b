"""A sweep: many parameter sets of one strategy over the same bars, each with a book of its own.

    grid ─▶ points ─▶ weights, a block of columns at a time ─▶ engine on all cores ─▶ figures

The engine is that of a backtest, with all its limits, costs and breakers. A block's equity curves
become figures at once, so memory does not grow with the number of points.
"""

import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from stratvector.backtest import column_figures as figures_of
from stratvector.backtest.column_figures import fold_columns
from stratvector.backtest.grids import Point, Where, grid_points
from stratvector.backtest.metrics import Observations, observations, rank
from stratvector.backtest.metrics.arrays import Floats
from stratvector.backtest.metrics.daily import elapsed_years, sample_rows
from stratvector.backtest.metrics.returns import (
    annualized_return,
    rate_per_period,
    total_return,
)
from stratvector.backtest.metrics.undefined import quotient
from stratvector.trading.engine.scan import Scan
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.state import Integers
from stratvector.trading.engine.sweep import run_columns
from stratvector.trading.engine_rules import cash_of, rules_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.scans import check_scan
from stratvector.trading.nearest import suggestion
from stratvector.trading.replay import Progress
from stratvector.trading.session import Session
from stratvector.trading.strategy import Strategy

BLOCK_BYTES = 16 * 1024 * 1024  # of weights and equity: what a processor's cache holds
MEASURES = (
    "total_return",
    "annualized_return",
    "annualized_volatility",
    "sharpe_ratio",
    "max_drawdown",
    "calmar_ratio",
    "final_equity",
    "fills",
)


class Interrupted(UserWarning):
    """A sweep was stopped: its table holds the points that were finished."""


def swept(
    session: Session,
    grid: Mapping[str, Iterable[Any]],
    where: Where | None = None,
    rank_by: str = "sharpe_ratio",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """One row per point of the grid, the best first; see `Backtest.sweep`."""
    if rank_by not in MEASURES:
        raise ValueError(f"rank_by is {rank_by!r}, no measure of a sweep: {_near(rank_by)}")
    (strategy,) = session.strategies.values()
    points, strategies = grid_points(strategy, grid, where)
    measured, fills = _run(session, strategies, progress)
    frame = _frame(session, points[: len(fills)], measured, fills)
    order = rank(frame[rank_by].to_numpy(), highest_first=rank_by != "annualized_volatility")
    return frame[order]


@contextmanager
def shown(progress: Progress | None) -> Iterator[Progress | None]:
    """Whom to tell how far it is: the given one, else a bar on a terminal, else nobody."""
    if progress is not None or not sys.stderr.isatty():
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def heatmap(frame: pl.DataFrame, across: str, down: str, measure: str) -> pl.DataFrame:
    """A sweep's measure as a table: one row per value of `down`, one column per value of `across`,
    null where the sweep has no such point. Of several points the best one counts.
    """
    for name in (across, down, measure):
        if name not in frame.columns:
            near = suggestion(name, frame.columns)
            raise ValueError(f"the sweep has no column {name!r}: {near}")
    ordered = frame.sort(across, maintain_order=True)
    table = ordered.pivot(across, index=down, values=measure, aggregate_function="max")
    return table.sort(down)


def _run(
    session: Session, strategies: Sequence[Strategy], progress: Progress | None
) -> tuple[Floats, Integers]:
    """Figures and fills of each strategy; of those that were finished where Ctrl-C stopped it."""
    measured = np.zeros((len(strategies), figures_of.FIGURES))
    fills, done = np.zeros(len(strategies), np.int64), 0
    try:
        for block in _blocks(session, strategies):
            stop = done + len(block)
            _run_block(session, block, measured[done:stop], fills[done:stop])
            done = stop
            if progress is not None:
                progress(done, len(strategies))
    except KeyboardInterrupt:
        finished = f"{done:,} of {len(strategies):,} points were finished"
        warnings.warn(f"the sweep was interrupted: {finished}", Interrupted, stacklevel=4)
    return measured[:done], fills[:done]


def _blocks(session: Session, strategies: Sequence[Strategy]) -> Iterator[list[Scan]]:
    (history,) = session.histories.values()
    closes, symbols = history.bars.close.shape
    size = max(2, BLOCK_BYTES // (8 * closes * (symbols + 1)) // 2 * 2)
    scans = type(strategies[0]).scans_of_each(strategies, history.bars)
    while block := list(islice(scans, size)):
        yield block


def _run_block(session: Session, scans: list[Scan], measured: Floats, fills: Integers) -> None:
    portfolio, market = session.portfolio, session.market
    (history,) = session.histories.values()
    own, (model,) = Own.of(portfolio), portfolio.model_names
    closes, symbols = market.close.shape
    weights, equity = np.empty((len(scans), closes, 1, symbols)), np.empty((len(scans), closes))
    for column, scan in enumerate(scans):
        check_scan(scan, history.bars, session.start, model, own)
        weights[column, :, 0] = scan.weights[-closes:]
    axes = indices(symbols), indices(1)
    ones, rules = np.ones((closes, 1)), rules_of(portfolio)
    run_columns(market, weights, ones, *cash_of(portfolio), rules, equity, fills, *axes)
    times = session.schedule.close_times
    per_year = observations(times).per_year
    rate = rate_per_period(session.risk_free_rate, per_year) if per_year > 0.0 else math.nan
    fold_columns(equity, sample_rows(times), rate, measured)


def _frame(
    session: Session, points: Sequence[Point], measured: Floats, fills: Integers
) -> pl.DataFrame:
    parameters = {name: [point[name] for point in points] for name in (points[0] if points else ())}
    times, initial = session.schedule.close_times, float(session.portfolio.initial_cash)
    known, years = observations(times), elapsed_years(times)
    rows = [_measures(initial, known, years, figures) for figures in measured.tolist()]
    measures = {name: [row[n] for row in rows] for n, name in enumerate(MEASURES[:-1])}
    return pl.DataFrame({**parameters, **measures, "fills": fills})


def _measures(
    initial: float, known: Observations, years: float, figures: list[float]
) -> tuple[float, ...]:
    """The measures of one column, by the functions that a result's metrics come from."""
    final, drawdown = figures[figures_of.FINAL], figures[figures_of.DRAWDOWN]
    yearly = annualized_return(initial, final, years)
    root = math.sqrt(known.per_year) if known.per_year > 0.0 else math.nan
    ratio = quotient(figures[figures_of.MEAN_EXCESS], figures[figures_of.EXCESS_DEVIATION])
    told = (
        yearly,
        figures[figures_of.DEVIATION] * root,
        ratio * root,
        quotient(yearly, abs(drawdown)),
    )
    a_year, volatility, sharpe, calmar = told if known.suffice else (math.nan,) * 4
    return total_return(initial, final), a_year, volatility, sharpe, drawdown, calmar, final


def _near(name: str) -> str:
    return suggestion(name, MEASURES)
