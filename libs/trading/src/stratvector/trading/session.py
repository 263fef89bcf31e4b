"""A session: one portfolio, its strategies and its bars between two close times. What every driver
starts from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from stratvector.trading.bars import Bars, ClosedBars
from stratvector.trading.benchmark import (
    Benchmark,
    check_begins,
    check_risk_free_rate,
    held_universe,
)
from stratvector.trading.caveats import Caveat
from stratvector.trading.chapters import hash_of_bars
from stratvector.trading.engine.arithmetic import round_columns
from stratvector.trading.engine.scan import Scan
from stratvector.trading.engine.state import Floats, Market
from stratvector.trading.engine_rules import grid_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.scans import check_scan
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule, merge
from stratvector.trading.strategy import Strategy, scan
from stratvector.trading.timestamps import Nanoseconds, utc_text


@dataclass(frozen=True, eq=False)
class History:
    """A universe's bars on its scheduled closes, warm-up first.

    open_times : int64[T], when each bar opened (fills at the open are stamped with it).
    total_return : the prices are adjusted for splits and dividends; every report of them says so.
    load : JSON values with which they can be loaded again, None where nothing can.
    """

    bars: Bars
    open_times: Nanoseconds = field(repr=False)
    total_return: bool = False
    source: str = ""
    load: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Session:
    """Everything that a run is a function of.

    start : first close time (ns UTC) at which decisions are made; earlier bars warm up and never
    trade.
    histories : per universe of the portfolio, symbols in the portfolio's order.
    strategies : per model of the portfolio.
    caveats : what is doubtful about the data, whatever a run over them gives.
    benchmark : what results are compared with, None for buy and hold of all symbols.
    risk_free_rate : effective, fraction per year.
    """

    portfolio: Portfolio
    start: int
    histories: Mapping[str, History]
    strategies: Mapping[str, Strategy]
    caveats: tuple[Caveat, ...] = field(default=())
    benchmark: Benchmark | None = None
    risk_free_rate: float = 0.0

    def __post_init__(self) -> None:
        for universe in self.portfolio.universes:
            bars = self.histories[universe.name].bars
            if bars.symbols != universe.symbols:
                raise ValueError(
                    f"bars of universe {universe.name} hold {bars.symbols}; "
                    f"it is {universe.symbols}"
                )
            if not len(bars) or bars.close_times[-1] < self.start:
                raise ValueError(
                    f"universe {universe.name} has no close at or after {utc_text(self.start)}"
                )
        for instrument in self.portfolio.instruments:
            _ = instrument.decimals
        for model in (one.name for one in self.portfolio.active):
            if model not in self.strategies:
                raise ValueError(f"model {model} has no strategy in this session")
        check_risk_free_rate(self.risk_free_rate)
        if self.benchmark is not None:
            last = max(int(h.bars.close_times[-1]) for h in self.histories.values())
            check_begins(self.benchmark, last)

    def __repr__(self) -> str:
        closes = f"{len(self.schedule):,} closes from {utc_text(self.start)}"
        symbols, models = len(self.portfolio.symbols), ", ".join(self.portfolio.model_names)
        return f"Session({self.portfolio.name!r}, {closes}, {symbols:,} symbols, models {models})"

    @property
    def closes(self) -> int:
        """How many closes trade."""
        return len(self.schedule)

    @property
    def last_close(self) -> int:
        """The last of them, ns UTC."""
        return int(self.schedule.close_times[-1])

    @property
    def compared_with(self) -> Benchmark | None:
        """The benchmark, by default all symbols bought and held; None where none has a price."""
        if self.benchmark is not None:
            return self.benchmark
        return held_universe(self.schedule.close_times, self.market.close)

    @cached_property
    def schedule(self) -> Schedule:
        """The merged close times from `start` on."""
        return merge(
            {
                name: _from(self.histories[name].bars.close_times, self.start)
                for name in (u.name for u in self.portfolio.universes)
            }
        )

    @cached_property
    def market(self) -> Market:
        """The engine's arrays over the schedule, symbols in the portfolio's order; what positions
        are marked at is on the price grid, as fills are.
        """
        schedule, portfolio = self.schedule, self.portfolio
        if len(portfolio.universes) == 1:
            return self._market_of_one(portfolio.universes[0].name)
        shape = (len(schedule), len(portfolio.symbols))
        market = Market(
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.zeros(shape, np.bool_),
            schedule.days,
        )
        for universe in portfolio.universes:
            rows, columns = self._rows(universe.name), portfolio.columns(universe.name)
            bars = self._traded(universe.name)
            market.open[rows, columns] = bars.open
            market.close[rows, columns] = bars.close
            market.volume[rows, columns] = bars.volume
            market.closing[rows, columns] = True
        round_columns(market.close, grid_of(portfolio.instruments))
        return market

    @cached_property
    def scans(self) -> dict[str, Scan]:
        """Each model's weights over its universe's whole history, warm-up included."""
        return {
            model.name: scan(self.strategies[model.name], self.histories[model.universe].bars)
            for model in self.portfolio.models
        }

    @cached_property
    def weights(self) -> Floats:
        """float64[T, M, S] on the schedule: 0 where a model's universe does not close or holds no
        symbol.
        """
        portfolio = self.portfolio
        shape = (len(self.schedule), len(portfolio.models), len(portfolio.symbols))
        weights = np.zeros(shape)
        for m, model in enumerate(portfolio.models):
            rows, columns = self._rows(model.universe), portfolio.columns(model.universe)
            traded = len(rows)
            scanned = self.scans[model.name].weights
            weights[rows, m, columns] = scanned[len(scanned) - traded :]
        return weights

    def refuse_unfit_signals(self) -> None:
        """Refuse what no live model could say; the engine alone takes an absurd weight for unknown.
        Raises BadSignal.
        """
        own = Own.of(self.portfolio)
        for model in self.portfolio.models:
            bars = self.histories[model.universe].bars
            check_scan(self.scans[model.name], bars, self.start, model.name, own)

    def sections(self, universe: str, after: int) -> Iterator[ClosedBars]:
        """A universe's cross-sections later than a close (ns UTC), warm-up included, in order."""
        history = self.histories[universe]
        first = int(np.searchsorted(history.bars.close_times, after, side="right"))
        timeframe = self.portfolio.universe(universe).timeframe
        for row in range(first, len(history.bars)):
            opened = int(history.open_times[row])
            yield history.bars.closed(row, universe, timeframe, open_time=opened)

    def bars_hash(self, universe: str) -> str:
        """The hash of a universe's bars, warm-up included."""
        history = self.histories[universe]
        return hash_of_bars(history.bars, history.open_times)

    def open_time(self, universe: str, close_time: int) -> int:
        """When the bar that closes at `close_time` opened."""
        history = self.histories[universe]
        return int(history.open_times[history.bars.at(close_time)])

    def _market_of_one(self, universe: str) -> Market:
        """The same where all symbols close at every close: most arrays are the bars' own."""
        bars = self._traded(universe)
        close = bars.close.copy()
        round_columns(close, grid_of(self.portfolio.instruments))
        closing = np.ones(close.shape, np.bool_)
        # An array that can't be written is another type to numba, which would compile all anew.
        opened, volume = (np.require(each, requirements="W") for each in (bars.open, bars.volume))
        return Market(opened, close, volume, closing, self.schedule.days)

    def _rows(self, universe: str) -> Nanoseconds:
        column = self.schedule.universes.index(universe)
        return np.flatnonzero(self.schedule.closes[:, column]).astype(np.int64)

    def _traded(self, universe: str) -> Bars:
        bars = self.histories[universe].bars
        first = int(np.searchsorted(bars.close_times, self.start))
        return bars.window(first, len(bars))


def _from(close_times: Nanoseconds, start: int) -> Nanoseconds:
    return close_times[np.searchsorted(close_times, start) :]
