"""The record of a compiled run: its rows as columns, put into money by whole numbers."""

from decimal import Decimal
from functools import cached_property

import numpy as np

from stratvector.backtest.exact_money import Amounts, Scale, Trades, fold_money, new_books
from stratvector.backtest.metrics.arrays import Flags, Floats, Times
from stratvector.backtest.record import (
    CANCELLED,
    EXPIRED,
    FILLED,
    WORKING,
    FillColumns,
    OrderColumns,
    Unordered,
)
from stratvector.backtest.whole_numbers import WholeNumbers
from stratvector.trading.engine import events
from stratvector.trading.engine.events import ORDER_ROW, SYMBOL
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.state import MICRO, Integers
from stratvector.trading.halts import Breakers, Halt, halts_of_closes
from stratvector.trading.identity import execution_ids, order_ids
from stratvector.trading.replay import Outcome

CODES = ((events.BY_BAND, "below_minimum_order"), (events.BY_LOT, "lot_too_large"))


class RunRecord:
    """See `record.Record`. Raises TooFine for money that whole numbers of 104 bits don't hold."""

    def __init__(self, outcome: Outcome) -> None:
        self._session, self._rows = outcome.session, outcome.rows
        self._portfolio = outcome.session.portfolio
        self._fill_symbols = self._rows.orders[self._rows.fills[:, ORDER_ROW], SYMBOL]
        self._numbers = self._whole_numbers()

    @property
    def close_times(self) -> Times:
        """Decided closes, ns UTC."""
        return self._session.schedule.close_times

    @property
    def equity(self) -> Floats:
        """At each close, base currency."""
        return self._rows.closes.equity

    @property
    def gross(self) -> Floats:
        """Sum of absolute positions, base currency."""
        return self._rows.closes.gross

    @property
    def drawdown_factor(self) -> Floats:
        """What the drawdown rule left of all exposures."""
        return self._rows.closes.factor

    @property
    def halted(self) -> Flags:
        """Whether a drawdown had halted the portfolio."""
        return self._rows.closes.flags[:, events.IS_HALTED]

    @property
    def reduce_only(self) -> Flags:
        """Whether a daily loss allowed no new risk."""
        return self._rows.closes.flags[:, events.IS_REDUCE_ONLY]

    @cached_property
    def cash(self) -> Floats:
        """Of all accounts after each close."""
        return self._money[:, -1]

    @cached_property
    def profits(self) -> Floats:
        """float64[T, M], each model's since the start."""
        return self._money[:, :-1]

    @cached_property
    def commissions(self) -> Floats:
        """float64[M], what each model paid."""
        return self._folded[1] / MICRO

    def exact_cash(self, row: int) -> Decimal:
        """Cash after one close."""
        return self._folded[0].exact((row, len(self._portfolio.models)))

    @cached_property
    def orders(self) -> OrderColumns:
        """Approved orders."""
        rows, times = self._rows, self.close_times
        closes, symbols, lots = rows.orders.T
        filled = np.zeros(len(lots), np.int64)
        filled[rows.fills[:, ORDER_ROW]] = rows.fills[:, events.LOTS]
        return OrderColumns(
            decided_at=times[closes],
            symbol=symbols,
            lots=lots,
            quantity=self._numbers.quantities(lots, symbols),
            reference_price=rows.order_price,
            expires_at=self._next_closes(closes, symbols),
            status=self._statuses(lots, filled),
            filled_lots=filled,
            parts=rows.order_parts,
        )

    @cached_property
    def fills(self) -> FillColumns:
        """Executions."""
        rows, numbers, symbols = self._rows, self._numbers, self._fill_symbols
        closes, _, lots, commission = rows.fills.T
        steps = numbers.steps(rows.fill_price, symbols)
        drift = np.abs(
            steps - numbers.open_steps(self._session.market.open[closes, symbols], symbols)
        )
        return FillColumns(
            order=rows.fills[:, ORDER_ROW],
            fill_time=self._open_times(closes, symbols),
            known_time=self.close_times[closes],
            symbol=symbols,
            lots=lots,
            quantity=numbers.quantities(lots, symbols),
            price=rows.fill_price,
            commission=commission / MICRO,
            slippage=numbers.worth(drift, np.abs(lots), symbols),
            parts=rows.fill_parts,
        )

    @cached_property
    def order_ids(self) -> list[str]:
        """Of each order."""
        portfolio, times = self._portfolio, self.orders.decided_at
        accounts = portfolio.account_of
        ids = np.empty(len(times), dtype=object)
        for s, symbol in enumerate(portfolio.symbols):
            rows = np.flatnonzero(self.orders.symbol == s)
            ids[rows] = order_ids(
                portfolio.run, portfolio.name, accounts[symbol], symbol, times[rows].tolist()
            )
        return list(ids)

    @cached_property
    def execution_ids(self) -> list[str]:
        """Of each fill."""
        ids = self.order_ids
        orders = (ids[row] for row in self.fills.order.tolist())
        return execution_ids(orders, self.fills.known_time.tolist())

    @property
    def outcomes(self) -> dict[int, int]:
        """How often a plan ended so, by `reasons.Outcome`."""
        return dict(enumerate(self._rows.tally.outcomes.tolist()))

    @property
    def unordered(self) -> tuple[Unordered, ...]:
        """Of symbols that were never traded."""
        tally, times, found = self._rows.tally, self.close_times, list[Unordered]()
        for s, symbol in enumerate(self._portfolio.symbols):
            for kind, code in CODES:
                count, first, last = tally.wanted[s, kind].tolist()
                if count and not tally.traded[s]:
                    between = int(times[first]), int(times[last])
                    largest = float(tally.largest[s, kind])
                    found.append(Unordered(code, symbol, count, *between, largest))
        return tuple(found)

    @cached_property
    def halts(self) -> tuple[Halt, ...]:
        """When a breaker stopped trading."""
        flat = self._rows.closes.flags[:, events.IS_FLAT]
        series = Breakers(self.close_times, self.equity, self.halted, self.reduce_only, flat)
        return halts_of_closes(self._portfolio, series)

    def _whole_numbers(self) -> WholeNumbers:
        rows, count = self._rows, len(self._portfolio.symbols)
        highest = np.fmax.reduce(self._session.market.close, axis=0, initial=0.0)
        np.maximum.at(highest, self._fill_symbols, rows.fill_price)
        lots = np.zeros(count)
        for symbols, parts in (
            (self._fill_symbols, rows.fill_parts),
            (rows.crosses[:, SYMBOL], rows.cross_parts),
        ):
            lots += np.bincount(symbols, np.abs(parts).sum(axis=1), minlength=count)
        cash = self._portfolio.initial_cash
        return WholeNumbers(self._portfolio.instruments, cash, highest, lots)

    @cached_property
    def _money(self) -> Floats:
        """float64[T, M + 1], each model's profit and the account's cash."""
        return self._folded[0].floats()

    @cached_property
    def _folded(self) -> tuple[Amounts, Integers]:
        """The same exactly, and commissions per model in millionths."""
        rows, numbers, close = self._rows, self._numbers, self._session.market.close
        models, symbols = len(self._portfolio.models), self._fill_symbols
        books = new_books(
            models, len(numbers.scales), numbers.units_of(self._portfolio.initial_cash)
        )
        trades = Trades(
            rows.fills,
            symbols,
            numbers.steps(rows.fill_price, symbols),
            np.ascontiguousarray(rows.fill_parts),
            rows.crosses,
            numbers.steps(rows.cross_price, rows.crosses[:, SYMBOL]),
            rows.cross_parts,
        )
        limbs = np.zeros((len(close) * (models + 1), 2), np.int64)
        scale = Scale(numbers.price_units, numbers.scales, numbers.fee_scale)
        fold_money(close, trades, scale, books, limbs, indices(models))
        return Amounts(limbs.reshape(len(close), models + 1, 2), numbers.decimals), books.paid

    def _statuses(self, lots: Integers, filled: Integers) -> Integers:
        status = np.full(len(lots), WORKING, np.int64)
        ended = self._rows.endings
        status[ended[:, ORDER_ROW]] = np.where(ended[:, events.IS_CANCELLED], CANCELLED, EXPIRED)
        status[filled == lots] = FILLED
        return status

    def _next_closes(self, closes: Integers, symbols: Integers) -> Times:
        """When the universes of these symbols close next after these rows, 0 = never again."""
        schedule, result = self._session.schedule, np.zeros(len(closes), np.int64)
        for name, mine in self._by_universe(symbols):
            own = schedule.closes_of(name)
            after = np.searchsorted(own, self.close_times[closes[mine]], side="right")
            result[mine] = np.append(own, 0)[after]
        return result

    def _open_times(self, closes: Integers, symbols: Integers) -> Times:
        """When the bars of these rows opened."""
        result = np.zeros(len(closes), np.int64)
        for name, mine in self._by_universe(symbols):
            history = self._session.histories[name]
            rows = np.searchsorted(history.bars.close_times, self.close_times[closes[mine]])
            result[mine] = history.open_times[rows]
        return result

    def _by_universe(self, symbols: Integers) -> list[tuple[str, Flags]]:
        """Each universe, and which of the rows are of its symbols."""
        universes = self._portfolio.universes
        numbers = np.repeat(np.arange(len(universes)), [len(u.symbols) for u in universes])
        return [(u.name, numbers[symbols] == n) for n, u in enumerate(universes)]
