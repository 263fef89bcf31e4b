"""order_meter: who is told how orders fare, for metrics; never a source of results."""

from collections.abc import Sequence
from typing import Protocol

from stratvector.trading.fills import FillEvent


class OrderMeter(Protocol):
    """What an account's lane tells while it works; what an earlier owner did is not told again."""

    def acknowledged(self, approved_at: int, trace_id: str) -> None:
        """The broker has just accepted or rejected an order of a decision that was stored at
        `approved_at` (ns UTC, 0 = nobody told), and whose trace that is (empty = nobody told).
        """

    def published(self, events: Sequence[FillEvent]) -> None:
        """These events are in the lane."""
