"""What the FILLS lane says of each order: the fold that recovery and normal running share."""

from collections.abc import Iterable
from enum import IntEnum

from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder


class OrderState(IntEnum):
    """How far an order has come."""

    NEW = 0  # no event: never claimed
    CLAIMED = 1  # sending, or unknown: the broker may or may not have it
    ACCEPTED = 2
    ENDED = 3  # filled whole, or terminal


class OrderLog:
    """States of all orders by id, folded from events."""

    def __init__(self) -> None:
        self._states: dict[str, OrderState] = {}
        self._filled: dict[str, int] = {}
        self._executions: set[str] = set()

    def unrecorded(self, events: Iterable[FillEvent]) -> list[FillEvent]:
        """A broker's events without the executions that the lane has, or that come twice."""
        fresh, seen = [], set(self._executions)
        for event in events:
            if event.kind is FillKind.FILLED:
                if event.execution_id in seen:
                    continue
                seen.add(event.execution_id)
            fresh.append(event)
        return fresh

    def fold(self, events: Iterable[FillEvent]) -> None:
        """Take events in the lane's order."""
        for event in events:
            state = self._states.get(event.order_id, OrderState.NEW)
            self._states[event.order_id] = max(state, self._state_after(event))

    def state(self, order: ApprovedOrder) -> OrderState:
        """The order's state; an order filled whole has ended."""
        if self._filled.get(order.order_id, 0) == order.lots:
            return OrderState.ENDED
        return self._states.get(order.order_id, OrderState.NEW)

    def has_ended(self, order_id: str) -> bool:
        """Whether a terminal event of the order is in the lane."""
        return self._states.get(order_id, OrderState.NEW) is OrderState.ENDED

    def _state_after(self, event: FillEvent) -> OrderState:
        if event.kind in TERMINAL:
            return OrderState.ENDED
        if event.kind is FillKind.FILLED:
            self._executions.add(event.execution_id)
            self._filled[event.order_id] = self._filled.get(event.order_id, 0) + event.lots
            return OrderState.ACCEPTED
        if event.kind is FillKind.ACCEPTED:
            return OrderState.ACCEPTED
        return OrderState.CLAIMED
