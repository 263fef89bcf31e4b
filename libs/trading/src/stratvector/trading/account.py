"""One portfolio's real accounts: the engine's book, folded from fills, bars and decisions as they
arrive.

The risk service holds one. A recovering owner folds the same messages and reaches the same bits;
for closes that are already decided it adopts the decision and never recomputes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying, begin_book
from stratvector.trading.decisions import DecisionReader
from stratvector.trading.engine import journal as journals
from stratvector.trading.engine.account import gross_exposure, release, settle_fill
from stratvector.trading.engine.arithmetic import round_columns
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.state import (
    CANCEL,
    CANCELLING,
    CROSS_PART,
    CROSSED,
    LATCH,
    MOVED,
    MOVES,
    ORDER,
    ORDER_PART,
    PEAK,
    PLANNED,
    POSITION,
    STAGES,
    WORKING,
    Market,
    new_book,
    new_plan,
)
from stratvector.trading.engine.step import decide, observe, place
from stratvector.trading.engine_rules import cash_of, groups_of, rules_of
from stratvector.trading.executions import commission_micros
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import Cancel, Cut, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY
from stratvector.trading.unfit import ExcessExecution, OtherRows, StrayExecution


class PortfolioAccount:
    """Settle the fills of a close, observe its bars and signals, then decide or adopt.

    carried : what a chapter begins with, None for a flat account.
    """

    def __init__(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        self._portfolio = portfolio
        # Of a universe that a chapter adds nobody knows it before its first close.
        known = {u.name for u in portfolio.universes} if carried is None else carried.next_closes
        self._next_closes = {u.name: 0 for u in portfolio.universes if u.name in known}
        self._symbols = {symbol: s for s, symbol in enumerate(portfolio.symbols)}
        self._closing = [self._symbols[symbol] for symbol in portfolio.closing_symbols]
        self._rules = rules_of(portfolio)
        count, models = len(portfolio.symbols), len(portfolio.models)
        self._book = new_book(count, models, *cash_of(portfolio))
        self._plan = new_plan(count, models, groups_of(self._rules), np.zeros((STAGES, count)))
        self._market = Market(
            np.full((1, count), np.nan),
            np.full((1, count), np.nan),
            np.full((1, count), np.nan),
            np.zeros((1, count), np.bool_),
            np.zeros(1, np.int64),
        )
        self._weights = np.zeros((1, models, count))
        self._multipliers = np.ones((1, models))
        self._journal = journals.new_journal(1, count, models)
        self._axes = (indices(count), indices(models))
        self._reader = DecisionReader(portfolio)
        self._orders: dict[str, str] = {}
        self._equity = float(portfolio.initial_cash)
        if carried is not None:
            self._begin(carried)

    @property
    def working(self) -> Mapping[str, str]:
        """Symbol -> id of its order that has no terminal event yet."""
        return dict(self._orders)

    @property
    def reserved_lots(self) -> dict[str, int]:
        """Symbol -> signed lots that a working order still reserves; empty when nothing is."""
        lots = self._book.lots[:, WORKING].tolist()
        return {symbol: lots[s] for symbol, s in self._symbols.items() if lots[s]}

    @property
    def positions(self) -> dict[str, int]:
        """Symbol -> lots, zero ones left out."""
        lots = self._book.lots[:, POSITION].tolist()
        return {symbol: lots[s] for symbol, s in self._symbols.items() if lots[s]}

    @property
    def equity(self) -> float:
        """At the close that was observed last, base currency; initial cash before the first."""
        return self._equity

    @property
    def is_halted(self) -> bool:
        """Whether a drawdown has halted it, as of the close that was observed last."""
        return bool(self._book.latch[LATCH])

    @property
    def peak(self) -> float:
        """The highest equity of any close, base currency; drawdowns are measured from it."""
        return float(self._book.account[PEAK])

    @property
    def marks(self) -> dict[str, float]:
        """Symbol -> last price, base currency per unit; 0 before its first bar."""
        marks = self._book.mark.tolist()
        return {symbol: marks[s] for symbol, s in self._symbols.items()}

    def settle(self, event: FillEvent) -> None:
        """Apply one event of the FILLS lane.

        Raises StrayExecution for an execution of an order that is not working, ExcessExecution for
        one of more than is left of it.
        """
        ours = self._orders.get(event.symbol) == event.order_id
        if event.kind is FillKind.FILLED:
            if not ours:
                raise StrayExecution(event.execution_id, event.order_id, event.symbol)
            s = self._symbols[event.symbol]
            left = int(self._book.lots[s, WORKING])
            if not 0 < abs(event.lots) <= abs(left) or event.lots * left < 0:
                raise ExcessExecution(event.execution_id, event.order_id, event.lots, left)
            commission = commission_micros(event.commission)
            settle_fill(
                s,
                event.lots,
                float(event.price),
                commission,
                self._book,
                self._rules,
                self._plan,
                self._axes[1],
            )
            if self._book.lots[s, WORKING] == 0:
                self._release(event.symbol)
        elif event.kind in TERMINAL and ours:
            self._release(event.symbol)

    def observe(
        self,
        close_time: int,
        bars: Sequence[ClosedBars],
        signals: Mapping[str, Signals | None],
        late: Sequence[ClosedBars] = (),
    ) -> float:
        """Fold one close: bars of the closing universes, signals (None = late) of their models;
        the equity. late : bars of earlier closes, which move marks before these do. Raises
        OtherRows.
        """
        for section in late:
            self._fill_market(close_time, [section])
            closes = self._market.close[0]
            there = self._market.closing[0] & (closes > 0.0)
            np.copyto(self._book.mark, closes, where=there)
        self._fill_market(close_time, bars)
        self._fill_weights(signals)
        self._equity = observe(
            0, self._market, self._weights, self._book, self._rules, self._plan, *self._axes
        )
        return self._equity

    def decide(self, close_time: int, cut: Cut) -> Decision:
        """The decision at the close that was just observed; nothing takes effect before `place`.

        cut : what it uses; its multipliers (none: 1 for every model) weigh the budgets.
        """
        self._multipliers[0] = cut.multipliers or 1.0
        decide(
            0,
            self._equity,
            self._market,
            self._multipliers,
            self._book,
            self._rules,
            self._plan,
            *self._axes,
        )
        journals.write(
            0, self._equity, self._market, self._journal, self._book, self._plan, *self._axes
        )
        self._journal.gross[0] = gross_exposure(self._book, self._rules.grid, self._axes[0])
        coming = {name: t if t > close_time else 0 for name, t in self._next_closes.items()}
        return self._reader.decision(
            self._journal, 0, close_time, cut, self._orders, lambda name: coming.get(name, 0)
        )

    def stop(self, close_time: int, cut: Cut) -> Decision:
        """The same for a portfolio that somebody stopped: what it holds it keeps, nothing is
        ordered, and what is working is cancelled; the last one when nothing is.
        """
        decision = self.decide(close_time, cut)
        cancelling = self._book.lots[:, CANCELLING]
        cancels = tuple(
            Cancel(self._orders[symbol], symbol)
            for symbol, s in self._symbols.items()
            if symbol in self._orders and not cancelling[s]
        )
        return replace(
            decision,
            orders=(),
            crosses=(),
            cancels=cancels,
            symbols=(),
            stopping=True,
            ended=not self._orders,
        )

    def place(self, decision: Decision) -> None:
        """Let a published or adopted decision take effect: cancels, crosses, working orders."""
        plan = self._plan
        plan.fields[:, [PLANNED, MOVES]] = 1
        plan.flags[MOVED] = 1
        plan.fields[:, [ORDER, CANCEL, CROSSED]] = 0
        for cancel in decision.cancels:
            plan.fields[self._symbols[cancel.symbol], CANCEL] = 1
        for cross in decision.crosses:
            plan.fields[self._symbols[cross.symbol], CROSSED] = 1
            plan.cells[self._symbols[cross.symbol], :, CROSS_PART] = cross.parts
        for order in decision.orders:
            plan.fields[self._symbols[order.symbol], ORDER] = order.lots
            plan.cells[self._symbols[order.symbol], :, ORDER_PART] = order.parts
            self._orders[order.symbol] = order.order_id
        place(self._book, self._rules, plan, *self._axes)

    def carried(self, carrying: Carrying) -> Carried:
        """What a chapter begins with that opens after the decision that was placed last; carrying :
        what else the log says.
        """
        return carrying.carried(self._book, self._next_closes)

    def _begin(self, carried: Carried) -> None:
        """Go on from what another account carried."""
        begin_book(self._portfolio, carried, self._book, self._plan)
        self._next_closes |= {name: carried.next_closes[name] for name in self._next_closes}
        self._orders = {one.order.symbol: one.order.order_id for one in carried.orders}

    def _release(self, symbol: str) -> None:
        release(self._symbols[symbol], self._book, self._axes[1])
        self._orders.pop(symbol, None)

    def _fill_market(self, close_time: int, bars: Sequence[ClosedBars]) -> None:
        self._market.closing[:] = False
        self._market.day[0] = close_time // NANOSECONDS_PER_DAY
        for section in bars:
            columns = self._portfolio.columns(section.universe)
            self._market.open[0, columns] = section.open
            self._market.close[0, columns] = section.close
            self._market.volume[0, columns] = section.volume
            self._market.closing[0, columns] = True
            self._next_closes[section.universe] = section.next_close
        round_columns(self._market.close, self._rules.grid)

    def _fill_weights(self, signals: Mapping[str, Signals | None]) -> None:
        self._weights[:] = 0.0
        for m, model in enumerate(self._portfolio.models):
            if model.name not in signals:
                continue
            columns = self._portfolio.columns(model.universe)
            arrived = signals[model.name]
            if arrived is not None:
                _refuse_other_rows(arrived, self._portfolio.symbols[columns])
            self._weights[0, m, columns] = (
                np.nan if arrived is None else [row.weight for row in arrived.rows]
            )
        self._weights[0, :, self._closing] = 0.0


def _refuse_other_rows(signals: Signals, symbols: tuple[str, ...]) -> None:
    found = tuple([row.symbol for row in signals.rows])
    if found != symbols:
        raise OtherRows(signals.model, symbols, found)
