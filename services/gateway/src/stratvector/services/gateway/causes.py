"""causes: why each working order was sent, kept until the broker is done with it.

Lanes are read one by one, so an order's fill may be read before the decision that sent it. Its
event waits for that decision, so that every fill can be told with its order's models and reason.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratvector.services.gateway import event_bodies
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.instruments import Instrument
from stratvector.trading.orders import Decision

WAITING_MAX = 4_096  # events; the oldest is then told without its order
UNKNOWN: Mapping[str, Any] = {"models": None, "reason": None, "stage": None}


@dataclass(frozen=True)
class CausesState:
    """As they are. causes : JSON by order. waiting : events, each with the close it was told at."""

    causes: dict[str, str]
    lots_left: dict[str, int]
    waiting: tuple[tuple[FillEvent, int], ...]
    decided: int


class Causes:
    """Models, reason and stage of orders that may still be filled. models : of the next decisions,
    in their order.
    """

    def __init__(self, instruments: Mapping[str, Instrument], models: Sequence[str]) -> None:
        self._instruments, self.models = instruments, models
        self._causes: dict[str, dict[str, Any]] = {}
        self._lots_left: dict[str, int] = {}
        self._waiting: deque[tuple[FillEvent, int]] = deque()
        self._decided = 0

    @property
    def state(self) -> CausesState:
        """What `resume` goes on from."""
        causes = {order: json.dumps(cause) for order, cause in self._causes.items()}
        return CausesState(causes, dict(self._lots_left), tuple(self._waiting), self._decided)

    def resume(self, state: CausesState) -> None:
        """Go on from other causes."""
        self._causes = {order: json.loads(cause) for order, cause in state.causes.items()}
        self._lots_left, self._decided = dict(state.lots_left), state.decided
        self._waiting = deque(state.waiting)

    def take(self, decision: Decision) -> None:
        """Remember what a decision approved."""
        self._decided = decision.close_time
        decided = {one.symbol: one for one in decision.symbols}
        for order in decision.orders:
            self._lots_left[order.order_id] = order.lots
            self._causes[order.order_id] = event_bodies.cause(
                order,
                decided.get(order.symbol),
                decision.halted,
                self._instruments[order.symbol],
                self.models,
            )

    def wait(self, event: FillEvent, close_time: int) -> None:
        """An event that is to be told with its order's cause."""
        self._waiting.append((event, close_time))

    def told(self) -> Iterator[tuple[FillEvent, int, Mapping[str, Any]]]:
        """The waiting events that can be told now, in their order, each with its cause."""
        while self._waiting:
            event, close_time = self._waiting[0]
            cause = self._causes.get(event.order_id)
            ahead = close_time > self._decided and len(self._waiting) <= WAITING_MAX
            if cause is None and ahead:
                return
            self._waiting.popleft()
            self._release(event)
            yield event, close_time, cause or UNKNOWN

    def _release(self, event: FillEvent) -> None:
        """Forget an order that the broker is done with."""
        left = self._lots_left.get(event.order_id, 0) - event.lots
        if event.kind in TERMINAL or (event.kind is FillKind.FILLED and left == 0):
            self._causes.pop(event.order_id, None)
            self._lots_left.pop(event.order_id, None)
        elif event.order_id in self._lots_left:
            self._lots_left[event.order_id] = left
