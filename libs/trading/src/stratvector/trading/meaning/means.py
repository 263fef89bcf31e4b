"""What a decision may order: bounds of the reader's own, whatever the decision says of itself.

    after an order, a symbol's exposure is within its caps, or smaller than before; so is the sum

The caps are the document's (weights within budgets and what `manual` keeps, symbol, asset, gross),
the equity is folded here from fills and bars, and the reference price is the last close. Exits of
any size pass: a position may have grown beyond its cap by itself.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.closing import most_kept
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import ApprovedOrder, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import Absurd

SLACK: Final = 0.01  # for the rounding of prices; caps themselves are exact where they are applied


class AccountMeans:
    """One account as its fills and bars tell it: `settle`, `observe`, then `check`.

    carried : what a chapter begins with, None for a flat account.
    """

    def __init__(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        instruments, limits = portfolio.instruments, portfolio.limits
        self._units = {one.symbol: float(one.lot_size) for one in instruments}
        self._grids = {one.symbol: 10.0**-one.decimals for one in instruments}
        self._lots: Counter[str] = Counter()
        self._marks = dict.fromkeys(self._units, 0.0)
        self._cash = float(portfolio.initial_cash)
        budgets = sum(model.budget_fraction for model in portfolio.models)
        self._own_cap = Own.of(portfolio).weight_max * budgets
        caps = (limits.symbol, limits.asset, limits.gross)
        self._symbol_cap = min([math.inf, *(cap for cap in caps if cap is not None)])
        self._kept = {} if carried is None else most_kept(portfolio, carried)
        self._gross_cap = limits.gross
        if carried is not None:
            self._cash = carried.cash
            for one in (one for one in carried.symbols if one.symbol in self._units):
                self._lots[one.symbol], self._marks[one.symbol] = one.lots, one.mark

    def settle(self, event: FillEvent) -> None:
        """Take one event of the account; only executions change it."""
        if event.kind is FillKind.FILLED:
            traded = event.lots * self._units[event.symbol] * float(event.price)
            self._lots[event.symbol] += event.lots
            self._cash -= traded + float(event.commission)

    def observe(self, section: ClosedBars) -> None:
        """Take closing prices; a missing one leaves the price before it."""
        for symbol, close in zip(section.symbols, section.close.tolist(), strict=True):
            if close > 0:
                self._marks[symbol] = close

    def check(self, decision: Decision, orders: Sequence[ApprovedOrder]) -> None:
        """Those orders of a decision that are to be carried out now. Raises Absurd."""
        if not orders:
            return
        equity = self._cash + sum(self._value(s, lots) for s, lots in self._lots.items())
        before = {symbol: abs(self._value(symbol, lots)) for symbol, lots in self._lots.items()}
        turnover = abs(self._cash) + sum(before.values())
        if not abs(decision.equity - equity) <= SLACK * turnover:
            raise Absurd(
                f"equity is {decision.equity:.2f}, but by its fills and bars the account has "
                f"{equity:.2f}"
            )
        after = dict(before)
        for order in orders:
            self._check_price(order)
            symbol = order.symbol
            after[symbol] = abs(self._value(symbol, self._lots[symbol] + order.lots))
            self._check_room(
                f"the order of {order.lots} lots of {symbol} leaves an exposure of",
                before.get(symbol, 0.0),
                after[symbol],
                self._cap_of(symbol, equity),
            )
        if self._gross_cap is not None:
            # Orders that are still to reduce count as not filled: at worst a whole cap of them,
            # which the new orders may take up.
            total = sum(before.values()), sum(after.values())
            self._check_room(
                "the orders leave a gross exposure of", *total, 2 * self._gross_cap * equity
            )

    def _cap_of(self, symbol: str, equity: float) -> float:
        kept = self._value(symbol, self._kept.get(symbol, 0))
        return min(self._own_cap * equity + kept, self._symbol_cap * equity)

    def _check_price(self, order: ApprovedOrder) -> None:
        mark, price = self._marks[order.symbol], float(order.reference_price)
        if not abs(price - mark) <= SLACK * mark + self._grids[order.symbol]:
            raise Absurd(
                f"reference_price of {order.symbol} is {price:g}, but its last close was {mark:g}"
            )

    def _check_room(self, what: str, before: float, after: float, cap: float) -> None:
        if after > max(before, cap, 0.0) * (1 + SLACK):
            raise Absurd(f"{what} {after:.2f}; the account's means allow {max(cap, 0.0):.2f}")

    def _value(self, symbol: str, lots: int) -> float:
        return lots * self._units[symbol] * self._marks[symbol]
