"""exact_books: lots and money of an account and of its models in exact decimals, fold of fills,
crosses and orders.

The split of fills and fees over the models is the engine's (its functions are called), so that
attribution is one truth; money is Decimal, so that the models' parts add up to the whole to the
last digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from stratvector.trading.carried import Carried, OrderWord
from stratvector.trading.closing import in_order
from stratvector.trading.engine.allocation import apportion, split_fill
from stratvector.trading.engine.session import indices
from stratvector.trading.executions import MICRO_DECIMALS, commission_micros
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder, Cross, Decision
from stratvector.trading.portfolio import Costs, Portfolio
from stratvector.trading.unfit import ExcessExecution, StrayExecution

CLAIMS = (FillKind.SENDING, FillKind.UNKNOWN)


@dataclass
class ModelBook:
    """One model's share. lots : per symbol, zero ones left out."""

    lots: dict[str, int] = field(default_factory=dict)
    cash: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)


@dataclass
class OpenOrder:
    """An order that no event has ended. costs : of the chapter that it was decided in. given :
    signed lots per model of what is filled.
    """

    order: ApprovedOrder
    costs: Costs
    filled: int
    given: np.ndarray[tuple[int], np.dtype[np.int64]]
    word: OrderWord = OrderWord.NONE


class ExactBooks:
    """The books of one portfolio. Per close: `settle` its events, then `place` its decision.

    carried : what a chapter begins with, None for a flat account.
    accounts : cash by name, base currency; cash : of all together. lots : per symbol, zero ones
    left out. models : in config order. orders :
    open ones by id, in the order of their decisions.
    """

    def __init__(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        self._lot_sizes = {i.symbol: i.lot_size for i in portfolio.instruments}
        self._costs = portfolio.costs
        self._axis = indices(len(portfolio.models))
        self.accounts = {one.name: one.initial_cash for one in portfolio.accounts}
        self._account_of = portfolio.account_of
        self.lots: dict[str, int] = {}
        self.models = [ModelBook() for _ in portfolio.models]
        self.orders: dict[str, OpenOrder] = {}
        if carried is not None:
            self._begin(portfolio, carried)

    @property
    def cash(self) -> Decimal:
        """Of all accounts together, base currency."""
        first, *others = self.accounts.values()
        return sum(others, first)

    def _begin(self, portfolio: Portfolio, carried: Carried) -> None:
        self.accounts |= {one.name: one.exact_cash for one in carried.accounts}
        by_name = dict(zip(portfolio.model_names, self.models, strict=True))
        for model in carried.models:
            book = by_name[model.name]
            book.cash, book.commission = model.exact_cash, model.commission
        for one in carried.symbols:
            _add(self.lots, one.symbol, one.lots)
            for cell in one.cells:
                _add(by_name[cell.model].lots, one.symbol, cell.lots)
        for open_order in in_order(portfolio, carried):
            given = np.array(open_order.given, np.int64)
            self.orders[open_order.order.order_id] = OpenOrder(
                open_order.order, open_order.costs, open_order.filled, given, open_order.word
            )

    def settle(self, events: Sequence[FillEvent]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Take the events of a close: per execution its id and its parts per model.

        Raises StrayExecution for an execution of an order that is not working, ExcessExecution for
        one of more than is left of it.
        """
        attributed = [
            (event.execution_id, self._book(event))
            for event in events
            if event.kind is FillKind.FILLED
        ]
        for event in events:
            if event.kind in TERMINAL:
                self.orders.pop(event.order_id, None)
            elif event.kind is not FillKind.FILLED:
                self._hear(event)
        return tuple(attributed)

    def place(self, decision: Decision) -> None:
        """Take a decision: crosses settle, its orders are open."""
        for cross in decision.crosses:
            self._cross(cross)
        for order in decision.orders:
            given = np.zeros(len(self.models), np.int64)
            self.orders[order.order_id] = OpenOrder(order, self._costs, 0, given)

    def _hear(self, event: FillEvent) -> None:
        """A claim never takes back that an order was accepted."""
        if (opened := self.orders.get(event.order_id)) is not None:
            word = OrderWord.CLAIMED if event.kind in CLAIMS else OrderWord.ACCEPTED
            opened.word = max(opened.word, word)

    def _book(self, event: FillEvent) -> tuple[int, ...]:
        """Book one execution and return its parts per model."""
        opened = self.orders.get(event.order_id)
        if opened is None or opened.order.symbol != event.symbol:
            raise StrayExecution(event.execution_id, event.order_id, event.symbol)
        left = opened.order.lots - opened.filled
        if not 0 < abs(event.lots) <= abs(left) or event.lots * left < 0:
            raise ExcessExecution(event.execution_id, event.order_id, event.lots, left)
        parts, fees = self._split(opened, event)
        unit = self._lot_sizes[event.symbol] * event.price
        self.accounts[self._account_of[event.symbol]] -= event.lots * unit + event.commission
        _add(self.lots, event.symbol, event.lots)
        for model, part, fee in zip(self.models, parts, fees, strict=True):
            cost = fee * MICRO_DECIMALS
            _add(model.lots, event.symbol, part)
            model.cash -= part * unit + cost
            model.commission += cost
        if opened.filled == opened.order.lots:
            del self.orders[event.order_id]
        return tuple(parts)

    def _split(self, opened: OpenOrder, event: FillEvent) -> tuple[list[int], list[int]]:
        """Lots and fees in millionths per model."""
        count = len(self.models)
        parts, fees = np.zeros(count, np.int64), np.zeros(count, np.int64)
        shares = np.array(opened.order.parts, np.int64)
        split_fill(
            opened.order.lots, opened.filled, event.lots, shares, opened.given, parts, self._axis
        )
        apportion(commission_micros(event.commission), parts, fees, self._axis)
        opened.filled += event.lots
        opened.given += parts
        opened.word = OrderWord.ACCEPTED
        return parts.tolist(), fees.tolist()

    def _cross(self, cross: Cross) -> None:
        unit = self._lot_sizes[cross.symbol] * cross.price
        for model, part in zip(self.models, cross.parts, strict=True):
            _add(model.lots, cross.symbol, part)
            model.cash -= part * unit


def _add(lots: dict[str, int], symbol: str, change: int) -> None:
    """Add lots, leaving zero positions out."""
    total = lots.get(symbol, 0) + change
    if total:
        lots[symbol] = total
    else:
        lots.pop(symbol, None)
