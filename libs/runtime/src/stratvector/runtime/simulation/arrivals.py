"""arrivals: what the simulated streams publish again, on its way to those that listen.

As in core NATS: in order on each way, at most once by promise, never kept. The dice may lose,
delay or repeat each message on each way; what a process does not take in time it reads in the log.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

from stratvector.runtime.ports import Stored
from stratvector.runtime.simulation.effect import Channel, Effect, Scheduler

if TYPE_CHECKING:
    from stratvector.runtime.simulation.process import Process

KEPT = 256


class SimulatedArrivals:
    """Speaks `ports.Arrivals` for one process."""

    def __init__(self, subject: str, scheduler: Scheduler, process: Process) -> None:
        self.subject = subject
        self._scheduler, self._process = scheduler, process
        self._on_the_way: deque[Stored] = deque()
        self._arrived: deque[Stored] = deque(maxlen=KEPT)
        self._waiting: Next | None = None
        self._is_closed = False
        self._clear_at = 0.0  # when the newest message on the way is through

    @property
    def is_open(self) -> bool:
        """Whether the process that listens still lives, and listens."""
        return self._process.alive and not self._is_closed

    async def close(self) -> None:
        """Hear nothing more."""
        self._is_closed = True

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The next message that was heard, or None when none came in time."""
        return await Next(self, timeout_seconds)

    def send(self, stored: Stored) -> None:
        """Let a message go its way, which the dice decide."""
        for way_seconds in self._scheduler.ways():
            self._clear_at = max(self._clear_at, self._scheduler.now + way_seconds)
            self._on_the_way.append(stored)
            if self._clear_at > self._scheduler.now:
                self._scheduler.at(self._clear_at - self._scheduler.now, self._hear)
            else:
                self._hear()

    def wait(self, effect: Next, timeout_seconds: float) -> None:
        """Answer an effect now or as soon as possible; None when the time is up."""
        self._waiting = effect
        self._serve()
        if not effect.answered:
            self._scheduler.at(timeout_seconds, partial(self._scheduler.answer, effect, None))

    def _hear(self) -> None:
        """The oldest on the way: of two at one instant the first that was sent."""
        self._arrived.append(self._on_the_way.popleft())
        self._serve()

    def _serve(self) -> None:
        if self._waiting is not None and not self._waiting.answered and self._arrived:
            effect, self._waiting = self._waiting, None
            self._scheduler.answer(effect, self._arrived.popleft())


class Next(Effect["Stored | None"]):
    """Wait for what is heard."""

    __slots__ = ("_arrivals", "_timeout_seconds")

    def __init__(self, arrivals: SimulatedArrivals, timeout_seconds: float) -> None:
        super().__init__("next", arrivals.subject, Channel.LOCAL)
        self._arrivals = arrivals
        self._timeout_seconds = timeout_seconds

    def arrive(self, scheduler: Scheduler) -> None:
        """Wait at the process's own ear."""
        self._arrivals.wait(self, self._timeout_seconds)


class Listened(Protocol):
    """A subject's log, as far as its listeners go."""

    listeners: list[SimulatedArrivals]


class Listen(Effect[SimulatedArrivals]):
    """Subscribe to what is stored on a subject from now on.

    log : the subject's, whose listeners the new one joins.
    """

    __slots__ = ("_log",)

    def __init__(self, subject: str, log: Listened) -> None:
        super().__init__("listen", subject, Channel.READ)
        self._log = log

    def arrive(self, scheduler: Scheduler) -> None:
        """The server knows of the listener from here on."""
        if self.task is None:
            return
        arrivals = SimulatedArrivals(self.target, scheduler, self.task.process)
        self._log.listeners.append(arrivals)
        scheduler.answer(self, arrivals)
