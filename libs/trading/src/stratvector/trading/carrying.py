"""carrying: an account becomes what the next chapter begins with, and what a chapter begins with
becomes an account.

Risk folds a `Carrying` beside its account and writes it down when a chapter ends; parity folds
another one over the log and holds both against each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import (
    Carried,
    CarriedAccount,
    CarriedCell,
    CarriedModel,
    CarriedOrder,
    CarriedSymbol,
)
from stratvector.trading.closing import in_order
from stratvector.trading.engine.signals import EXPIRED, FRESH, KEPT
from stratvector.trading.engine.state import (
    CANCELLING,
    CASH,
    DAY,
    DAY_LOSS,
    DAY_START,
    FILLED_PART,
    LAST_EQUITY,
    LATCH,
    MISSING,
    MODEL_LOTS,
    ORDER_PART,
    PEAK,
    POSITION,
    REASON,
    WORKING,
    Book,
    Plan,
)
from stratvector.trading.engine.weights import KEPT_CLOSES_MAX
from stratvector.trading.exact_books import ExactBooks, OpenOrder
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import (
    bars_lane,
    earlier_bars_lanes,
    fills_lane,
    orders_lane,
    signals_lane,
)
from stratvector.trading.logged import Logged
from stratvector.trading.orders import Cancel, Decision, ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.roles import Role
from stratvector.trading.signals import Signals
from stratvector.trading.value_at_risk import DailyMarks
from stratvector.trading.versions import begins_anew


@dataclass
class _Memory:
    """One model as of its newest signals that were used. weights : symbol -> last known one."""

    close_time: int = 0
    state: tuple[float, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)


class Carrying:
    """What the log says beside the engine's book, folded close by close: `hear` its messages, then
    `place` its decision.

    carried : what the chapter began with, None in the first one.
    figure, recorded_at : the value at risk in force, and the close that recorded it (0 = none).
    daily : marks by date, which the next figure is asked with.
    """

    def __init__(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        self._portfolio = portfolio
        self._books = ExactBooks(portfolio, carried)
        self.daily = DailyMarks(portfolio)
        self._models = {name: _Memory() for name in portfolio.model_names}
        self._sequences: dict[str, int] = {}
        self._reports = dict.fromkeys(portfolio.account_names, 0)
        self.figure: ValueAtRisk | None = None
        self.recorded_at = 0
        self._decided_at, self._cancels = 0, tuple[Cancel, ...]()
        if carried is not None:
            self._decided_at, self._cancels = carried.close_time, carried.cancels
            self.daily.begin(carried)
            self._sequences |= carried.sequences
            self._reports |= {one.name: one.reports for one in carried.accounts}
            self.figure, self.recorded_at = carried.value_at_risk, carried.recorded_at
            self._begin_models(carried)
            known = {model.name for model in carried.models}
            for model in portfolio.models:
                if model.name not in known:
                    # One that the chapter adds begins after the bars that were used before it.
                    self._models[model.name].close_time = carried.bars_until(model.universe)

    def _begin_models(self, carried: Carried) -> None:
        portfolio = self._portfolio
        universes = {model.name: model.universe for model in portfolio.models}
        for model in carried.models:
            if not universes[model.name]:
                continue  # closing, and its universe has gone: nothing is remembered of it
            universe = portfolio.universe(universes[model.name])
            weights = {s: model.weights[s] for s in universe.symbols if s in model.weights}
            memory = _Memory(model.close_time, model.state, weights)
            if begins_anew(portfolio, universe, carried):
                # What it remembers is of other symbols: nothing to go on from. The bars that its
                # universe is absent at are still to be read, chapters later too.
                memory.close_time, memory.state = carried.bars_until(universe.name), ()
            self._models[model.name] = memory

    def hear(
        self,
        close_time: int,
        bars: Sequence[Logged[ClosedBars]],
        signals: Mapping[str, Logged[Signals]],
        reports: Sequence[Logged[FillsReport]],
    ) -> None:
        """What a close's decision uses. Raises StrayExecution, ExcessExecution."""
        portfolio, sequences = self._portfolio, self._sequences
        self.daily.observe(close_time, [section.noun for section in bars])
        for section in bars:
            universe = portfolio.universe(section.noun.universe)
            if (lane := bars_lane(portfolio, universe)) not in sequences:
                for earlier in earlier_bars_lanes(portfolio, universe):
                    sequences.pop(earlier, None)
            sequences[lane] = section.sequence
        for name, logged in signals.items():
            sequences[signals_lane(portfolio, name)] = logged.sequence
            self._remember(name, logged.noun)
        for report in reports:
            account = report.noun.account
            sequences[fills_lane(portfolio, account)] = report.sequence
            self._reports[account] = report.noun.number + 1
            self._books.settle(report.noun.events)

    def place(self, decision: Decision, sequence: int) -> None:
        """The decision, and its place in the stream."""
        self._books.place(decision)
        self._decided_at, self._cancels = decision.close_time, decision.cancels
        self._sequences[orders_lane(self._portfolio)] = sequence
        if decision.value_at_risk is not None:
            self.figure, self.recorded_at = decision.value_at_risk, decision.close_time

    def carried(self, book: Book, next_closes: Mapping[str, int]) -> Carried:
        """What a chapter begins with that opens after the newest decision; where there is none yet,
        what this one began with. book : the engine's.
        """
        account, latch = book.account.tolist(), book.latch.tolist()
        return Carried(
            close_time=self._decided_at,
            cash=account[CASH],
            peak=account[PEAK],
            day_start=account[DAY_START],
            last_equity=account[LAST_EQUITY],
            day=latch[DAY],
            halted=bool(latch[LATCH]),
            day_loss=bool(latch[DAY_LOSS]),
            next_closes=dict(next_closes),
            symbols=tuple(_symbols(self._portfolio, book)),
            models=tuple(self._carried_models(book)),
            accounts=tuple(self._carried_accounts(book)),
            orders=tuple(self._order(one, book) for one in self._books.orders.values()),
            cancels=self._cancels,
            sequences=dict(self._sequences),
            dates=self.daily.carried(),
            value_at_risk=self.figure,
            recorded_at=self.recorded_at,
        )

    def _remember(self, name: str, signals: Signals) -> None:
        memory = self._models[name]
        memory.close_time, memory.state = signals.close_time, signals.state
        for row in signals.rows:
            if row.weight == row.weight:
                memory.weights[row.symbol] = row.weight

    def _carried_models(self, book: Book) -> list[CarriedModel]:
        cash = book.model_cash.tolist()
        return [
            CarriedModel(
                name,
                cash[m],
                exact.cash,
                exact.commission,
                memory.close_time,
                memory.state,
                {symbol: weight for symbol, weight in memory.weights.items() if weight},
                allocation.universe,
            )
            for m, (allocation, (name, memory), exact) in enumerate(
                zip(
                    self._portfolio.models,
                    self._models.items(),
                    self._books.models,
                    strict=True,
                )
            )
        ]

    def _carried_accounts(self, book: Book) -> Iterator[CarriedAccount]:
        cash, exact = book.cash.tolist(), self._books.accounts
        for a, name in enumerate(self._portfolio.account_names):
            yield CarriedAccount(name, cash[a], exact[name], self._reports[name])

    def _order(self, one: OpenOrder, book: Book) -> CarriedOrder:
        s = self._portfolio.symbols.index(one.order.symbol)
        given = tuple(one.given.tolist())
        cancelling = bool(book.lots[s, CANCELLING])
        return CarriedOrder(one.order, one.word, one.filled, given, one.costs, cancelling)


def _symbols(portfolio: Portfolio, book: Book) -> list[CarriedSymbol]:
    names, marks, lots = portfolio.model_names, book.mark.tolist(), book.lots.tolist()
    kept = book.kept.tolist()
    cells, held = book.cells.tolist(), book.held_weight.tolist()
    # A zero without a sign says nothing; one with a sign is another number to the bit.
    said = (book.cells[:, :, MODEL_LOTS] != 0) | (book.cells[:, :, MISSING] != 0)
    said |= (book.held_weight != 0) | np.signbit(book.held_weight)
    return [
        CarriedSymbol(
            symbol,
            lots[s][POSITION],
            marks[s],
            tuple(
                CarriedCell(names[m], cells[s][m][MODEL_LOTS], held[s][m], cells[s][m][MISSING])
                for m in said[s].nonzero()[0].tolist()
            ),
            kept[s],
        )
        for s, symbol in enumerate(portfolio.symbols)
    ]


def begin_book(portfolio: Portfolio, carried: Carried, book: Book, plan: Plan) -> None:
    """Write what was carried into a flat book, and what a plan remembers of its weights: of symbols
    that are closing nothing, so that a late signal does not want them again, and `manual` wants
    none either. Those that have gone are passed over, as nothing is held of them.
    """
    symbols = {symbol: s for s, symbol in enumerate(portfolio.symbols)}
    models = {name: m for m, name in enumerate(portfolio.model_names)}
    book.account[[CASH, PEAK]] = carried.cash, carried.peak
    book.account[[DAY_START, LAST_EQUITY]] = carried.day_start, carried.last_equity
    book.latch[[DAY, LATCH, DAY_LOSS]] = carried.day, carried.halted, carried.day_loss
    book.cash[:] = [carried.account(name).cash for name in portfolio.account_names]
    for model in carried.models:
        book.model_cash[models[model.name]] = model.cash
    closing = set(portfolio.closing_symbols)
    is_kept = any(model.role is Role.KEEPING for model in portfolio.models)
    for one in carried.symbols:
        if (s := symbols.get(one.symbol)) is None:
            continue
        book.lots[s, POSITION], book.mark[s] = one.lots, one.mark
        book.kept[s] = one.kept if is_kept and one.symbol not in closing else 0
        for cell in one.cells:
            m = models[cell.model]
            book.cells[s, m, [MODEL_LOTS, MISSING]] = cell.lots, cell.missing
            book.held_weight[s, m] = 0.0 if one.symbol in closing else cell.held_weight
            plan.cells[s, m, REASON] = _reason(cell.missing)
    for open_order in in_order(portfolio, carried):
        s = symbols[open_order.order.symbol]
        book.lots[s, WORKING] = open_order.order.lots - open_order.filled
        book.lots[s, CANCELLING] = open_order.cancelling
        book.cells[s, :, ORDER_PART] = open_order.order.parts
        book.cells[s, :, FILLED_PART] = open_order.given


def _reason(missing: int) -> int:
    """What became of the newest weight, as `hold_weight` says it."""
    if not missing:
        return FRESH
    return EXPIRED if missing > KEPT_CLOSES_MAX else KEPT
