"""broker_double: a venue of another company in the world; its memory survives every crash of ours.

It answers through effects, so a send can arrive without its answer. What happened to an order it
tells by close, and tells again in the same words. It does no trading arithmetic: `Price` is the
caller's, such as the engine's matching.
"""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from copy import copy
from enum import Enum
from functools import partial

from stratvector.runtime.ports import Acknowledgement, BrokerUnknown
from stratvector.runtime.simulation.effect import Call, Channel
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.ticks import TickBars

Price = Callable[[ApprovedOrder, ClosedBars], FillEvent | None]
Refuse = Callable[[ApprovedOrder], str | None]


class Identity(Enum):
    """For how long the venue itself refuses a second order with the same client order id."""

    UNIQUE_FOR_EVER = "unique for ever"
    UNIQUE_WHILE_OPEN = "unique while open"
    NOT_UNIQUE = "not unique"


def refuse_none(order: ApprovedOrder) -> str | None:
    """A venue that takes every order."""
    return None


class BrokerDouble:
    """Speaks `ports.Broker`.

    price : the execution of an order against a bar of its universe, None when that bar fills
    nothing. refuse : why the venue rejects an order, None to accept it; the same order always gets
    the same answer. sent : ids as they arrived. accepted : ids, once for each time that an order
    was taken. fills : all executions.
    """

    is_external = True

    def __init__(
        self,
        price: Price,
        identity: Identity = Identity.UNIQUE_FOR_EVER,
        refuse: Refuse = refuse_none,
    ) -> None:
        self.sent: list[str] = []
        self.accepted: list[str] = []
        self.fills: list[FillEvent] = []
        self._price = price
        self._identity = identity
        self._refuse = refuse
        self._known: dict[str, Acknowledgement] = {}
        self._working: list[ApprovedOrder] = []
        self._cancelled: set[str] = set()
        self._told: dict[int, tuple[FillEvent, ...]] = {}
        self._symbols: Container[str] | None = None

    def at(self, symbols: Container[str]) -> "BrokerDouble":
        """The same venue as one of its accounts sees it, which trades these symbols."""
        account = copy(self)
        account._symbols, account._told = symbols, {}
        return account

    def accepted_twice(self) -> list[str]:
        """Ids of which the venue took more than one order: there must be none."""
        return [order_id for order_id, count in Counter(self.accepted).items() if count > 1]

    def begin(self, portfolio: Portfolio, carried: Carried | None) -> None:
        """A venue knows no chapters."""

    async def send(self, order: ApprovedOrder, epoch: int) -> Acknowledgement:
        """Hand over an order. Raises BrokerUnknown when no answer came."""
        perform = partial(self._take, order)
        return await Call("broker send", order.order_id, Channel.SEND, perform, BrokerUnknown)

    async def find(self, order: ApprovedOrder) -> Acknowledgement | None:
        """What the venue said to this order id; None when it never arrived."""
        perform = partial(self._known.get, order.order_id)
        return await Call("broker find", order.order_id, Channel.READ, perform)

    async def cancel(self, order_id: str) -> bool:
        """Whether the order is cancelled now (or was before); this is the only event of it."""
        perform = partial(self._cancel, order_id)
        return await Call("broker cancel", order_id, Channel.READ, perform)

    async def events_until(self, bars: TickBars) -> Sequence[FillEvent]:
        """What happened after the last close and up to this one, in the order of acceptance."""
        perform = partial(self._tell, bars)
        return await Call("broker events", str(bars.close_time), Channel.READ, perform)

    def _take(self, order: ApprovedOrder) -> Acknowledgement:
        self.sent.append(order.order_id)
        if self._refuses_as_duplicate(order.order_id):
            return self._known[order.order_id]
        reason = self._refuse(order)
        answer = Acknowledgement(reason is None, reason or "")
        self._known[order.order_id] = answer
        if answer.accepted:
            self.accepted.append(order.order_id)
            self._working.append(order)
        return answer

    def _refuses_as_duplicate(self, order_id: str) -> bool:
        if self._identity is Identity.UNIQUE_FOR_EVER:
            return order_id in self._known
        if self._identity is Identity.UNIQUE_WHILE_OPEN:
            return any(order.order_id == order_id for order in self._working)
        return False

    def _cancel(self, order_id: str) -> bool:
        left = [order for order in self._working if order.order_id != order_id]
        if len(left) < len(self._working):
            self._cancelled.add(order_id)
        self._working[:] = left  # every account's view has the same list
        return order_id in self._cancelled

    def _tell(self, bars: TickBars) -> tuple[FillEvent, ...]:
        close_time = bars.close_time
        if close_time not in self._told:
            asked = [order for order in self._working if self._is_at(order.symbol)]
            events = [(order, self._event(order, bars)) for order in asked]
            ended = {id(order) for order, event in events if event is not None}
            self._working[:] = [order for order in self._working if id(order) not in ended]
            self._told[close_time] = tuple(event for _, event in events if event is not None)
            self.fills += [e for e in self._told[close_time] if e.kind is FillKind.FILLED]
        return self._told[close_time]

    def _is_at(self, symbol: str) -> bool:
        return self._symbols is None or symbol in self._symbols

    def _event(self, order: ApprovedOrder, bars: TickBars) -> FillEvent | None:
        """The execution, the expiry, or nothing yet. Bars that come late fill nothing here: an
        order expires in its own time, whoever is silent.
        """
        close_time = bars.close_time
        if order.decided_at < close_time <= order.expires_at:
            for cross_section in (one.noun for one in bars.closing):
                if order.symbol in cross_section.symbols:
                    filled = self._price(order, cross_section)
                    if filled is not None:
                        return filled
        if order.expires_at <= close_time:
            return FillEvent(FillKind.EXPIRED, order.order_id, order.symbol, known_time=close_time)
        return None
