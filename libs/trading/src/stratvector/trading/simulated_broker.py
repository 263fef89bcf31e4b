"""The simulated broker of paper and replay: a pure fold of bars, orders and fills, priced by the
engine's matching.

It has no memory that the log does not have: an owner that recovers hands it the claimed orders
again, and gets the same executions.
"""

from collections.abc import Sequence
from dataclasses import replace

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.engine.matching import match_market
from stratvector.trading.engine.state import Rules
from stratvector.trading.engine_rules import rules_of
from stratvector.trading.executions import expired, filled
from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.portfolio import Costs, Portfolio


class SimulatedBroker:
    """Working orders of one account, and their matching at each close."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._working: dict[str, ApprovedOrder] = {}
        self._terms: dict[str, Costs] = {}
        self.begin(portfolio)

    def begin(self, portfolio: Portfolio, carried: Carried | None = None) -> None:
        """Into a chapter, with a portfolio of its own: orders of earlier ones keep their costs."""
        self._portfolio, self._instruments = portfolio, portfolio.instruments
        self._index = {i.symbol: n for n, i in enumerate(self._instruments)}
        self._rules = {portfolio.costs: rules_of(portfolio)}
        orders = () if carried is None else carried.orders
        self._terms |= {one.order.order_id: one.costs for one in orders}

    def accept(self, order: ApprovedOrder) -> None:
        """Take an order; the same order again changes nothing."""
        self._working.setdefault(order.order_id, order)
        self._terms.setdefault(order.order_id, self._portfolio.costs)

    def cancel(self, order_id: str) -> bool:
        """True if the order was working."""
        self._terms.pop(order_id, None)
        return self._working.pop(order_id, None) is not None

    @property
    def working(self) -> tuple[ApprovedOrder, ...]:
        """Orders that wait for their symbol's next bar, in symbol order."""
        orders = self._working.values()
        return tuple(sorted(orders, key=lambda o: (self._index[o.symbol], o.decided_at)))

    def match(
        self, close_time: int, bars: Sequence[ClosedBars], late: Sequence[ClosedBars] = ()
    ) -> tuple[FillEvent, ...]:
        """Executions and expiries of the symbols in `bars`, in the portfolio's symbol order.

        late : bars of earlier closes, before these; they meet only orders that were decided by
        their opening, as later ones could not have been in that market.
        """
        events: list[FillEvent] = []
        for section in late:
            decided = [order for order in self.working if order.decided_at <= section.open_time]
            events += self._match_all(decided, close_time, [section])
        return (*events, *self._match_all(self.working, close_time, bars))

    def _match_all(
        self, orders: Sequence[ApprovedOrder], close_time: int, bars: Sequence[ClosedBars]
    ) -> list[FillEvent]:
        places = {name: (b, n) for b in bars for n, name in enumerate(b.symbols)}
        events: list[FillEvent] = []
        for order in orders:
            if order.symbol in places:
                events.extend(self._match_one(order, close_time, *places[order.symbol]))
                del self._working[order.order_id]
        return events

    def _match_one(
        self, order: ApprovedOrder, close_time: int, bars: ClosedBars, column: int
    ) -> list[FillEvent]:
        s = self._index[order.symbol]
        open_price = float(bars.open[column])
        volume = float(bars.volume[column])
        rules = self._rules_of(self._terms.pop(order.order_id))
        lots, price, commission = match_market(
            order.lots, float(order.reference_price), open_price, volume, s, rules
        )
        events = []
        if lots:
            times = (bars.open_time, close_time)
            instrument = self._instruments[s]
            events.append(
                filled(
                    order.order_id, instrument, lots, float(price), commission, open_price, times
                )
            )
        if lots != order.lots:
            events.append(expired(order.order_id, order.symbol, close_time))
        return events

    def _rules_of(self, costs: Costs) -> Rules:
        if costs not in self._rules:
            self._rules[costs] = rules_of(replace(self._portfolio, costs=costs))
        return self._rules[costs]
