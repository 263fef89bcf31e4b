"""The ledger's fold: closes in their order become entries, in exact decimals."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.columns import Values
from stratvector.trading.engine.arithmetic import round_columns
from stratvector.trading.engine_rules import grid_of
from stratvector.trading.exact_books import ExactBooks
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry, ModelAccount
from stratvector.trading.meaning.rules import check_known
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals


class LedgerFold:
    """Account and attribution of one portfolio. `fold` takes one close after the other.

    carried : what the chapter begins with that the first close belongs to.
    """

    def __init__(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        self._portfolio = portfolio
        self._instruments = {i.symbol: i for i in portfolio.instruments}
        self._grids = {u.name: grid_of(u.instruments) for u in portfolio.universes}
        self._books = ExactBooks(portfolio, carried)
        symbols = () if carried is None else carried.symbols
        self._marks = {s.symbol: _exact(s.mark) for s in symbols if s.mark > 0}

    def fold(
        self,
        events: Sequence[FillEvent],
        bars: Sequence[ClosedBars],
        signals: Sequence[Signals],
        decision: Decision,
    ) -> LedgerEntry:
        """One close: events up to it, its bars (marks), signals and decision.

        Raises StrayExecution for an execution of an order that is not working, ExcessExecution for
        one of more than is left of it, Absurd for a symbol that the portfolio does not have.
        """
        ordered = [order.symbol for order in decision.orders]
        check_known("symbol", [*ordered, *(c.symbol for c in decision.crosses)], self._instruments)
        attributed = self._books.settle(events)
        marks = {
            symbol: mark
            for section in bars
            for symbol, mark in _marks(section, self._grids[section.universe])
        }
        self._marks |= marks
        self._books.place(decision)
        return self._entry(tuple(events), tuple(signals), decision, attributed, marks)

    def _value(self, lots: Mapping[str, int]) -> Decimal:
        return sum(
            (self._instruments[s].quantity(n) * self._marks[s] for s, n in lots.items()),
            Decimal(0),
        )

    def _entry(
        self,
        events: tuple[FillEvent, ...],
        signals: tuple[Signals, ...],
        decision: Decision,
        attributed: tuple[tuple[str, tuple[int, ...]], ...],
        marks: dict[str, Decimal],
    ) -> LedgerEntry:
        books = self._books
        return LedgerEntry(
            portfolio=self._portfolio.name,
            close_time=decision.close_time,
            signals=signals,
            decision=decision,
            events=events,
            attributed=attributed,
            positions=dict(books.lots),
            cash=books.cash,
            accounts=dict(books.accounts),
            equity=books.cash + self._value(books.lots),
            models=tuple(
                ModelAccount(
                    allocation.name,
                    dict(model.lots),
                    model.cash,
                    model.commission,
                    model.cash + self._value(model.lots),
                )
                for allocation, model in zip(self._portfolio.models, books.models, strict=True)
            ),
            marks=marks,
            run=self._portfolio.run,
        )


def _marks(section: ClosedBars, grid: Values) -> Iterator[tuple[str, Decimal]]:
    """The prices of symbols that have one, on the grid that fills are on."""
    closes = section.close[np.newaxis].copy()
    round_columns(closes, grid)
    for symbol, close in zip(section.symbols, closes[0].tolist(), strict=True):
        if close > 0:
            yield symbol, _exact(close)


def _exact(price: float) -> Decimal:
    """The price in as few digits as name it."""
    return Decimal(repr(price))
