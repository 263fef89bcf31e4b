"""events: what the clients of /ws are told, each at its own pace and none at the flow's cost.

A state (bars, signals, positions, equity, health) replaces the one before it: who reads the lanes
tells the newest of a batch, with the number of closes that it `skipped`. Orders and fills are told
one by one. A client that is slower loses the oldest and is told how many.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stratvector.trading.timestamps import utc_text

QUEUE_MAX = 512
STATES = ("bars", "signals", "positions", "equity", "health")


@dataclass(frozen=True)
class Event:
    """One message. close_time : ns UTC; 0 = it belongs to none. key : the lane or service."""

    type: str
    key: str
    close_time: int
    body: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """As it travels; spelled once, however many listen."""
        times = {"close_time": utc_text(self.close_time)} if self.close_time else {}
        return json.dumps({"type": self.type, **times, **self.body}, separators=(",", ":"))


class Subscriber:
    """One client's queue: bounded, the oldest make room."""

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self._queue: deque[Event] = deque(maxlen=queue_max)
        self._dropped = 0
        self._filled = asyncio.Event()

    def put(self, event: Event) -> None:
        """Give an event; never waits."""
        self._dropped += len(self._queue) == self._queue.maxlen
        self._queue.append(event)
        self._filled.set()

    async def texts(self) -> list[str]:
        """Everything that waits, at least one; first how many were dropped, if any were."""
        await self._filled.wait()
        self._filled.clear()
        told = [event.text for event in self._queue]
        self._queue.clear()
        dropped, self._dropped = self._dropped, 0
        if dropped:
            told.insert(0, json.dumps({"type": "dropped", "count": dropped}, separators=(",", ":")))
        return told


@dataclass(frozen=True)
class KeptState:
    """A state as it can be kept. body : JSON."""

    type: str
    key: str
    close_time: int
    body: str


class Hub:
    """Takes events and gives them to whoever listens now."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._states: dict[tuple[str, str], Event] = {}

    def publish(self, event: Event) -> None:
        """To all; a state is kept for those who come later."""
        if event.type in STATES:
            self._states[event.type, event.key] = event
        for subscriber in self._subscribers:
            subscriber.put(event)

    def states(self) -> tuple[KeptState, ...]:
        """Those of the lanes, as they are now."""
        return tuple(
            KeptState(one.type, one.key, one.close_time, json.dumps(one.body))
            for one in self._states.values()
            if one.type != "health"
        )

    def resume(self, states: Sequence[KeptState]) -> None:
        """Tell kept states again."""
        for one in states:
            self.publish(Event(one.type, one.key, one.close_time, json.loads(one.body)))

    @contextmanager
    def subscribed(self, queue_max: int = QUEUE_MAX) -> Iterator[Subscriber]:
        """A queue that begins with the states as they are now."""
        subscriber = Subscriber(queue_max)
        for event in self._states.values():
            subscriber.put(event)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
