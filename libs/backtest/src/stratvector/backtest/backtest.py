"""One strategy over one panel of bars: the shortest way to a result."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import polars as pl

from stratvector.backtest.certified import certified
from stratvector.backtest.given_signals import given_signals
from stratvector.backtest.grids import Where
from stratvector.backtest.result import Result, result_of
from stratvector.backtest.sweep import shown, swept
from stratvector.trading import replay
from stratvector.trading.bars import Bars
from stratvector.trading.benchmark import Benchmark, benchmark_of
from stratvector.trading.columns import Values
from stratvector.trading.instruments import Instrument
from stratvector.trading.nearest import suggestion
from stratvector.trading.portfolio import (
    Account,
    Costs,
    ModelAllocation,
    Portfolio,
    RiskLimits,
    Universe,
)
from stratvector.trading.price_grids import price_grids
from stratvector.trading.quality import quality_caveats, refuse_doubtful
from stratvector.trading.session import History, Session
from stratvector.trading.strategy import Strategy
from stratvector.trading.timestamps import Nanoseconds

NO_LEVERAGE = RiskLimits(gross=1.0)
LOT_SHARE = Decimal("1e-7")  # of the cash: what a lot of an instrument that is not named may cost


CALENDAR = "bars"  # the bars' own close times are the schedule
Frame = Any
"""A pandas or polars frame; what it must hold: `Bars.from_frame`."""


class Backtest:
    """A strategy that trades all symbols of some bars with the whole account.

    bars : Bars, or a pandas or polars frame with the columns of `Bars.from_frame`; the close times
    are the schedule. open_times : int64[T] ns UTC, when each bar opened;
    None: when the one before it closed. Fills are stamped with it.
    strategy : one, or its class with the defaults of its parameters. signals : target weights that
    were computed before, instead of a strategy: an array, a frame or booleans; see `given_signals`.
    cash : initial, base currency. costs : Costs() charges 0.1 % commission and 0.05 % slippage.
    limits : by default no leverage, and every change of at least a lot is traded.
    instruments : per symbol. One that is not named trades in lots of the largest power of ten that
    costs at most a ten-millionth of the cash at its first close; where no price_precision is given,
    its prices have the decimals that hold all of its bars (`price_grids`).
    benchmark : what alpha, beta and information ratio compare with: the name of one of the bars'
    symbols, or Bars or a frame of one symbol. By default all symbols of the bars, bought in equal
    parts at their first closes and held. risk_free_rate : effective, fraction per year.
    strict : raise DoubtfulBars for what `trading.quality` finds in the bars, such as prices that
    jump as by a split; without it these are caveats of the result.
    check : see that a strategy of one's own neither looks ahead nor remembers more than its
    history, once for each content, before it runs; without it that is a caveat of the result.

    Raises ValueError for bars without a close and for numbers that break a rule.
    """

    def __init__(
        self,
        bars: Bars | Frame,
        strategy: Strategy | type[Strategy] | None = None,
        *,
        signals: Any = None,
        cash: float | Decimal = 100_000,
        costs: Costs | None = None,
        limits: RiskLimits = NO_LEVERAGE,
        instruments: Mapping[str, Instrument] | None = None,
        open_times: Nanoseconds | None = None,
        benchmark: Bars | Frame | str | None = None,
        risk_free_rate: float = 0.0,
        strict: bool = False,
        check: bool = True,
    ) -> None:
        bars = _bars(bars, "bars")
        if not len(bars):
            raise ValueError("a backtest needs bars of at least one close")
        strategy = _strategy(strategy, signals, bars)
        if open_times is not None and not np.all(open_times < bars.close_times):
            raise ValueError("open_times must hold one time before each close of the bars")
        initial = _cash(cash)
        traded, caveats = price_grids(_traded(bars, instruments or {}, initial), bars)
        universe = Universe("bars", "own", CALENDAR, traded)
        portfolio = Portfolio(
            "backtest",
            (Account("simulated", initial),),
            (universe,),
            (ModelAllocation(strategy.name, universe.name, 1.0),),
            limits,
            costs or Costs(),
        )
        first = bars.close_times[:1]
        if open_times is None:
            open_times = np.concatenate([first, bars.close_times[:-1]])
        doubts = quality_caveats(bars, universe.name, scheduled=False)
        if strict:
            refuse_doubtful(doubts)
        self._check = check
        self.session = Session(
            portfolio,
            int(first[0]),
            {universe.name: History(bars, open_times)},
            {strategy.name: strategy},
            (*doubts, *caveats),
            benchmark=None if benchmark is None else _benchmark(benchmark, bars),
            risk_free_rate=risk_free_rate,
        )

    def run(self, progress: replay.Progress | None = None) -> Result:
        """Run it; the same bars, strategy and numbers give the same result to the bit.

        Raises BadStrategy.
        """
        self.session = certified(self.session, self._check)
        self.session.refuse_unfit_signals()
        return result_of(replay.run(self.session, progress))

    def sweep(
        self,
        grid: Mapping[str, Iterable[Any]],
        where: Where | None = None,
        *,
        rank_by: str = "sharpe_ratio",
        progress: replay.Progress | None = None,
    ) -> pl.DataFrame:
        """Run every combination of parameters, on all cores; one row each, the best first.

        grid : values by parameter of the strategy; the others stay as they are. where : which
        points to run, asked with their parameters as attributes. rank_by : the measure that ranks,
        undefined (NaN) last. progress : told (points done, points in all); by default a bar in a
        terminal. Columns: the grid's parameters, total_return, annualized_return,
        annualized_volatility, sharpe_ratio, max_drawdown, calmar_ratio, final_equity and fills, to
        the bit what `run` gives for the same parameters. Costs, limits and breakers are a run's.

        Ctrl-C ends it with a warning, and keeps the points that are finished. Raises BadGrid,
        BadStrategy, and BadSignal for a point whose weights nobody could trade.
        """
        self.session = certified(self.session, self._check)
        with shown(progress) as told:
            return swept(self.session, grid, where, rank_by, told)


def _strategy(given: object, signals: Any, bars: Bars) -> Strategy:
    if (given is None) == (signals is None):
        found = "neither" if given is None else "both"
        raise TypeError(f"a backtest needs a strategy or signals, and there are {found}")
    if signals is not None:
        return given_signals(signals, bars)
    if isinstance(given, type) and issubclass(given, Strategy):
        given = given()
    if isinstance(given, Strategy):
        return given
    name = getattr(given, "__name__", None) or f"a {type(given).__name__}"
    hint = "; put @strategy(history=N) above it" if callable(given) else ""
    raise TypeError(f"strategy is {name}, but it must be a Strategy or its class{hint}")


def _traded(
    bars: Bars, instruments: Mapping[str, Instrument], cash: Decimal
) -> tuple[Instrument, ...]:
    for symbol, instrument in instruments.items():
        if symbol not in bars.symbols:
            known = suggestion(str(symbol), bars.symbols)
            raise ValueError(f"instruments has {symbol!r}, of which there are no bars: {known}")
        if instrument.symbol != symbol:
            raise ValueError(f"instruments[{symbol!r}] is the instrument {instrument.symbol!r}")
    return tuple(
        instruments.get(symbol)
        or Instrument(symbol, symbol, "any", lot_size=_lot_size(bars.close[:, column], cash))
        for column, symbol in enumerate(bars.symbols)
    )


def _bars(given: Bars | Frame, what: str) -> Bars:
    if isinstance(given, Bars):
        return given
    if not hasattr(given, "columns"):
        kind = type(given).__name__
        raise TypeError(
            f"{what} must be Bars or a pandas or polars frame, not {kind}; "
            "stratvector.market.read_bars reads files"
        )
    return Bars.from_frame(given)


def _benchmark(given: Bars | Frame | str, traded: Bars) -> Benchmark:
    if isinstance(given, str):
        if given not in traded.symbols:
            near = suggestion(given, traded.symbols)
            raise ValueError(f"benchmark {given!r} is not a symbol of the bars; {near}")
        return benchmark_of(traded, given)
    bars = _bars(given, "benchmark")
    if len(bars.symbols) != 1:
        raise ValueError(f"benchmark has bars of {len(bars.symbols)} symbols; it must have one")
    return benchmark_of(bars, bars.symbols[0])


def _cash(given: float | Decimal) -> Decimal:
    try:
        return Decimal(str(given))
    except InvalidOperation:
        raise ValueError(f"cash is {given!r}; it must be a number") from None


def _lot_size(closes: Values, cash: Decimal) -> Decimal:
    """A power of ten, so that a price in other units gives the same lots."""
    known = closes[~np.isnan(closes)]
    if not len(known) or not (cash.is_finite() and cash > 0):
        return Decimal(1)
    exponent = (cash * LOT_SHARE / Decimal(repr(float(known[0])))).adjusted()
    return Decimal(10) ** exponent if exponent >= 0 else Decimal(1).scaleb(exponent)
