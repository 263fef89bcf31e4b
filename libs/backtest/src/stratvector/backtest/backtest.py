"""One strategy over one panel of bars: the shortest way to a result."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from stratvector.backtest.result import ALWAYS_OPEN, Result, result_of
from stratvector.trading import replay
from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.nearest import suggestion
from stratvector.trading.portfolio import Costs, ModelAllocation, Portfolio, RiskLimits, Universe
from stratvector.trading.quality import quality_caveats, refuse_doubtful
from stratvector.trading.session import History, Session
from stratvector.trading.strategy import Strategy
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds

NO_LEVERAGE = RiskLimits(gross=1.0, no_trade_band=0.005)
LOT_SIZE = Decimal("0.0001")
PRICE_PRECISION = 8


class Backtest:
    """A strategy that trades all symbols of some bars with the whole account.

    bars : the close times are the schedule. open_times : int64[T] ns UTC, when each bar opened;
    None: when the one before it closed. Fills are stamped with it.
    cash : initial, base currency. costs : Costs() charges 0.1 % commission and 0.05 % slippage.
    limits : by default no leverage, and no order for a change below 0.5 % of equity.
    instruments : per symbol; one that is not named trades in ten-thousandths, to 8 decimals.
    strict : raise DoubtfulBars for what `trading.quality` finds in the bars, such as prices that
    jump as by a split; without it these are caveats of the result.

    Raises ValueError for bars without a close and for numbers that break a rule.
    """

    def __init__(
        self,
        bars: Bars,
        strategy: Strategy,
        *,
        cash: float | Decimal = 100_000,
        costs: Costs | None = None,
        limits: RiskLimits = NO_LEVERAGE,
        instruments: Mapping[str, Instrument] | None = None,
        open_times: Nanoseconds | None = None,
        strict: bool = False,
    ) -> None:
        if not len(bars):
            raise ValueError("a backtest needs bars of at least one close")
        if open_times is not None and not np.all(open_times < bars.close_times):
            raise ValueError("open_times must hold one time before each close of the bars")
        universe = Universe(
            "bars", "own", _calendar(bars.close_times), _traded(bars, instruments or {})
        )
        portfolio = Portfolio(
            "backtest",
            "simulated",
            Decimal(str(cash)),
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
        self.session = Session(
            portfolio,
            int(first[0]),
            {universe.name: History(bars, open_times)},
            {strategy.name: strategy},
            doubts,
        )

    def run(self, progress: replay.Progress | None = None) -> Result:
        """Run it; the same bars, strategy and numbers give the same result to the bit."""
        return result_of(replay.run(self.session, progress))


def _traded(bars: Bars, instruments: Mapping[str, Instrument]) -> tuple[Instrument, ...]:
    for symbol, instrument in instruments.items():
        if symbol not in bars.symbols:
            known = suggestion(str(symbol), bars.symbols)
            raise ValueError(f"instruments has {symbol!r}, of which there are no bars: {known}")
        if instrument.symbol != symbol:
            raise ValueError(f"instruments[{symbol!r}] is the instrument {instrument.symbol!r}")
    return tuple(
        instruments.get(symbol) or Instrument(symbol, symbol, "any", PRICE_PRECISION, LOT_SIZE)
        for symbol in bars.symbols
    )


def _calendar(close_times: Nanoseconds) -> str:
    """24/7 if the bars close on every day of the week, which decides how metrics annualise."""
    # A close at midnight ends the day before.
    weekdays = np.unique((close_times - 1) // NANOSECONDS_PER_DAY % 7)
    return ALWAYS_OPEN if len(weekdays) == 7 else "sessions"
