"""consumer: a durable consumer of one subject, one delivery at a time (max_ack_pending=1)."""

from collections import deque
from functools import partial

from stratvector.runtime.ports import Stored
from stratvector.runtime.simulation.effect import Call, Channel, Effect, Scheduler

ACKNOWLEDGEMENT_SECONDS = 30.0


class Durable:
    """The server's side: what comes next, what is not acknowledged, and who waits.

    messages : the subject's log, which grows. A delivery that is not acknowledged in time is
    delivered again.
    """

    def __init__(
        self,
        name: str,
        subject: str,
        messages: list[Stored],
        scheduler: Scheduler,
        acknowledgement_seconds: float = ACKNOWLEDGEMENT_SECONDS,
    ) -> None:
        self.name = name
        self.subject = subject
        self._messages = messages
        self._scheduler = scheduler
        self._acknowledgement_seconds = acknowledgement_seconds
        self._delivered = 0
        self._pending = False
        self._deadline = 0.0
        self._waiting: deque[Receive] = deque()

    def wait(self, effect: "Receive", timeout_seconds: float) -> None:
        """Deliver to an effect now or as soon as possible; None when the time is up."""
        self._waiting.append(effect)
        self.serve()
        if not effect.answered:
            self._scheduler.at(timeout_seconds, lambda: self._scheduler.answer(effect, None))

    def serve(self) -> None:
        """Deliver what can be delivered to those that wait."""
        while self._waiting:
            effect = self._waiting[0]
            if effect.is_gone():
                self._waiting.popleft()
                continue
            stored = self._take(effect)
            if stored is None:
                return
            self._waiting.popleft()
            self._scheduler.answer(effect, stored)

    def acknowledge(self, sequence: int) -> None:
        """Make room for the next delivery; late and repeated acknowledgements are harmless."""
        if self._pending and self._messages[self._delivered - 1].sequence == sequence:
            self._pending = False
            self.serve()

    def _take(self, effect: "Receive") -> Stored | None:
        if effect.repeats() and self._delivered:
            return self._messages[self._delivered - 1]
        if self._pending:
            if self._scheduler.now < self._deadline:
                self._scheduler.at(self._deadline - self._scheduler.now, self.serve)
                return None
        elif self._delivered < len(self._messages):
            self._delivered += 1
        else:
            return None
        self._pending = True
        self._deadline = self._scheduler.now + self._acknowledgement_seconds
        return self._messages[self._delivered - 1]


class Receive(Effect[Stored | None]):
    """Wait for a delivery."""

    __slots__ = ("_durable", "_timeout_seconds")

    def __init__(self, durable: Durable, timeout_seconds: float) -> None:
        super().__init__("next", durable.subject, Channel.DELIVERY)
        self._durable = durable
        self._timeout_seconds = timeout_seconds

    def arrive(self, scheduler: Scheduler) -> None:
        """Stand in the durable's line."""
        self._durable.wait(self, self._timeout_seconds)

    def is_gone(self) -> bool:
        """Whether nobody waits for the delivery any more."""
        return self.answered or self.task is None or not self.task.process.alive

    def repeats(self) -> bool:
        """Whether its fate is to get the last delivery again."""
        return self.fate is not None and self.fate.duplicate


class SimulatedConsumer:
    """A process's handle on a durable."""

    def __init__(self, durable: Durable) -> None:
        self._durable = durable

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The next delivery, or None when nothing came in time."""
        return await Receive(self._durable, timeout_seconds)

    async def ack(self, sequence: int) -> None:
        """Acknowledge a delivery."""
        perform = partial(self._durable.acknowledge, sequence)
        await Call("ack", self._durable.subject, Channel.ACKNOWLEDGE, perform)
