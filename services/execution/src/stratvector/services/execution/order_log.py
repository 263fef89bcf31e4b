"""What the FILLS lane says of each order: the fold that recovery and normal running share.

Only what may still matter is kept: an order is forgotten once it has ended and its decision was
executed.
"""

from collections.abc import Iterable
from enum import IntEnum

from stratvector.trading.carried import CarriedOrder, OrderWord
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder


class OrderState(IntEnum):
    """How far an order has come."""

    NEW = 0  # no event: never claimed
    CLAIMED = 1  # sending, or unknown: the broker may or may not have it
    ACCEPTED = 2
    ENDED = 3  # filled whole, or terminal


_STATES = {
    OrderWord.NONE: OrderState.NEW,
    OrderWord.CLAIMED: OrderState.CLAIMED,
    OrderWord.ACCEPTED: OrderState.ACCEPTED,
}
EXECUTIONS_REMEMBERED = 10_000  # a broker that repeats itself does so soon


class OrderLog:
    """States of orders by id, folded from events."""

    def __init__(self) -> None:
        self._states: dict[str, OrderState] = {}
        self._filled: dict[str, int] = {}
        self._executions: dict[str, None] = {}
        self._executed: dict[str, ApprovedOrder] = {}

    def begin(self, carried: Iterable[CarriedOrder]) -> None:
        """Take the open orders of a chapter's beginning."""
        for one in carried:
            order_id = one.order.order_id
            self._states[order_id] = _STATES[one.word]
            self._filled[order_id] = one.filled
            self._executed[order_id] = one.order

    def unrecorded(self, events: Iterable[FillEvent]) -> list[FillEvent]:
        """A broker's events without the executions that the lane has, or that come twice."""
        fresh, told = [], set[str]()
        for event in events:
            if event.kind is FillKind.FILLED:
                if event.execution_id in self._executions or event.execution_id in told:
                    continue
                told.add(event.execution_id)
            fresh.append(event)
        return fresh

    def fold(self, events: Iterable[FillEvent]) -> None:
        """Take events in the lane's order."""
        for event in events:
            state = self._states.get(event.order_id, OrderState.NEW)
            self._states[event.order_id] = max(state, self._state_after(event))

    def remember(self, events: Iterable[FillEvent]) -> None:
        """Take executions of orders that have ended, so that they are not taken for new ones."""
        for event in events:
            if event.kind is FillKind.FILLED:
                self._remember(event.execution_id)

    def state(self, order: ApprovedOrder) -> OrderState:
        """The order's state; an order filled whole has ended."""
        if self._filled.get(order.order_id, 0) == order.lots:
            return OrderState.ENDED
        return self._states.get(order.order_id, OrderState.NEW)

    def is_open(self, order_id: str) -> bool:
        """Whether the order was claimed and no terminal event of it is in the lane.

        An id that is not known was claimed before, has ended and is forgotten: nothing else can be
        cancelled.
        """
        return self._states.get(order_id, OrderState.ENDED) is not OrderState.ENDED

    def forget_ended(self, executed: Iterable[ApprovedOrder]) -> None:
        """Take the orders of a decision that was executed; forget those of any that have ended."""
        self._executed |= {order.order_id: order for order in executed}
        for order in list(self._executed.values()):
            if self.state(order) is OrderState.ENDED:
                del self._executed[order.order_id]
                self._states.pop(order.order_id, None)
                self._filled.pop(order.order_id, None)

    def _state_after(self, event: FillEvent) -> OrderState:
        if event.kind in TERMINAL:
            return OrderState.ENDED
        if event.kind is FillKind.FILLED:
            self._remember(event.execution_id)
            self._filled[event.order_id] = self._filled.get(event.order_id, 0) + event.lots
            return OrderState.ACCEPTED
        if event.kind is FillKind.ACCEPTED:
            return OrderState.ACCEPTED
        return OrderState.CLAIMED

    def _remember(self, execution_id: str) -> None:
        self._executions[execution_id] = None
        if len(self._executions) > EXECUTIONS_REMEMBERED:
            del self._executions[next(iter(self._executions))]
