"""`python -m stratvector.trading.warm [live]` compiles what the product calls into numba's cache;
with `live` what services call, without backtests and sweeps.

numba compiles a function once per types of its arguments. One symbol or model is a tuple to it,
more are an array, so every driver is run once in each of the four combinations; to a backtest two
and three models are tuples, too. Each combination takes a processor about 20 s, so there are as
many processes as processors.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from stratvector.trading import replay
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_row
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.sweep import run_columns
from stratvector.trading.engine_rules import cash_of, rules_of
from stratvector.trading.instruments import Instrument
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.orders import Cut
from stratvector.trading.portfolio import Account, ModelAllocation, Portfolio, Universe
from stratvector.trading.session import History, Session
from stratvector.trading.simulated_broker import SimulatedBroker
from stratvector.trading.strategy import Strategy

SHAPES = ((1, 1), (1, 2), (2, 1), (2, 2))
BACKTEST_SHAPES = ((1, 3), (2, 3), (1, 4), (2, 4))  # beside those
HOUR = 3_600 * 10**9
CLOSES = 3


@dataclass(frozen=True)
class _Steady(Strategy):
    """Half of the budget, always."""

    name = "steady"

    @property
    def history(self) -> int:
        """None but the newest close."""
        return 1

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """One half everywhere."""
        return np.full((*bars.close.shape, 1), 0.5)


def warm(backtests: bool = True) -> None:
    """Compile live decisions, account, broker and ledger for every shape, and the drivers of
    backtests and sweeps.
    """
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        parts = [processes.submit(_warm_shape, *shape, backtests) for shape in SHAPES]
        if backtests:
            parts += [processes.submit(_warm_sweep, symbols) for symbols in (1, 2)]
            parts += [processes.submit(_warm_backtest, *shape) for shape in BACKTEST_SHAPES]
        else:
            parts += [processes.submit(_warm_decide)]
        for part in parts:
            part.result()


def _warm_shape(symbols: int, models: int, backtests: bool) -> None:
    session = warm_session(symbols, models)
    _trade(session)
    if backtests:
        replay.run(session)


def _warm_backtest(symbols: int, models: int) -> None:
    replay.run(warm_session(symbols, models))


def _warm_sweep(symbols: int) -> None:
    _sweep(warm_session(symbols, 1))
    _warm_decide()


def _warm_decide() -> None:
    decide_row(_Steady.decide, np.full((1, 1), 0.5), np.zeros(0), np.zeros(0))


def warm_session(symbols: int, models: int) -> Session:
    """A few closes of steady models over symbols that close together."""
    names = tuple(f"WARM{n}" for n in range(symbols))
    universe = Universe("warm", "1H", "24/7", tuple(Instrument(n, n, "warm", 2) for n in names))
    account = Account("paper", Decimal(10_000))
    allocations = tuple(ModelAllocation(f"model_{m}", "warm", 0.25) for m in range(models))
    portfolio = Portfolio("warm", (account,), (universe,), allocations)
    close_times = HOUR * np.arange(1, CLOSES + 1, dtype=np.int64)
    price = np.full((CLOSES, symbols), 10.0)
    bars = Bars(names, close_times, price, price, price, price, price)
    history = History(bars, close_times - HOUR)
    return Session(portfolio, HOUR, {"warm": history}, {m.name: _Steady() for m in allocations})


def _trade(session: Session) -> None:
    """A few closes through the parts that run live."""
    portfolio, bars = session.portfolio, session.histories["warm"].bars
    account = PortfolioAccount(portfolio)
    broker, ledger = SimulatedBroker(portfolio), LedgerFold(portfolio)
    for row, close_time in enumerate(bars.close_times.tolist()):
        closed = [bars.closed(row, "warm", "1H", open_time=close_time - HOUR)]
        events = broker.match(close_time, closed)
        for event in events:
            account.settle(event)
        account.observe(close_time, closed, {})
        if row == 0:
            # Buys; `decide` alone has no signals here.
            decision = replay.narrated(session, replay.journal_of(session))[0][0]
        else:
            decision = account.decide(close_time, Cut())
        account.place(decision)
        ledger.fold(events, closed, (), decision)
        for order in decision.orders:
            broker.accept(order)


def _sweep(session: Session) -> None:
    """Two columns of one model."""
    weights = np.repeat(session.weights[np.newaxis], 2, axis=0)
    equity, fills = np.zeros((2, CLOSES)), np.zeros(2, np.int64)
    ones, rules = np.ones((CLOSES, 1)), rules_of(session.portfolio)
    axes = (indices(len(session.portfolio.symbols)), indices(1))
    run_columns(
        session.market, weights, ones, *cash_of(session.portfolio), rules, equity, fills, *axes
    )


if __name__ == "__main__":
    warm(backtests=sys.argv[1:] != ["live"])
