"""inbox: each message of a subject once and in order, whatever the deliveries do.

The durable consumer only wakes the reader: the position in the log decides what was read.
Deliveries at or below it are dropped, and when one shows a gap, or none comes in time, the log
itself is read.

A follower is not woken: it reads the log page by page, and rests when there is nothing new. What
comes meanwhile costs one request instead of a delivery each.
"""

from collections import deque

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.ports import Ports, Stored

PAGE = 256
REMEMBERED = 1_024  # ids; the same message twice in a lane can only stand close together
REST_SECONDS = 0.05
REST_SECONDS_MAX = 0.5


class Inbox:
    """One reader's end of a subject; used by one coroutine.

    durable : the consumer's name on the bus, None for a follower. after : the sequence to start
    above (0 = from the beginning), of a message that this reader has folded before. poll_seconds :
    how long to trust the consumer's silence before reading the log.
    position : the sequence up to which everything was returned, dropped or is at hand.
    """

    def __init__(
        self,
        ports: Ports,
        durable: str | None,
        subject: str,
        after: int = 0,
        poll_seconds: float = 2.0,
    ) -> None:
        self.subject = subject
        self.position = after
        self._bus, self._clock, self._spans = ports.bus, ports.clock, ports.spans
        self._consumer = None if durable is None else ports.bus.consumer(durable, subject)
        self._poll_seconds = poll_seconds
        self._rest_seconds = REST_SECONDS
        self._epochs = EpochFilter()
        self._returned: dict[str, None] = {}
        self._unread: deque[Stored] = deque()
        self._next: Stored | None = None
        self._unacknowledged = 0
        self._behind = True
        self._recalled = after == 0

    async def next(self) -> Stored:
        """The next message of content; asking for it acknowledges the one before."""
        while not await self.look(self._poll_seconds):
            pass
        stored, self._next = self._next, None
        assert stored is not None
        AT_HAND.set(stored)
        if self._spans is not None:
            self._spans.taken(stored)
        return stored

    async def look(self, patience_seconds: float) -> bool:
        """Whether there is a message for `next`, or one comes in time."""
        await self._acknowledge()
        if not self._recalled:
            await self._recall_epoch()
        waited = False
        while not self.at_hand():
            if self._behind:
                await self._read_log()
            elif waited:
                return False
            else:
                await self._receive(patience_seconds)
                waited = True
        return True

    def at_hand(self) -> bool:
        """Whether `next` has a message without asking the bus."""
        while self._next is None and self._unread:
            stored = self._unread.popleft()
            if self._admits(stored):
                self._next = stored
        return self._next is not None

    async def _recall_epoch(self) -> None:
        """The message at the starting position carries the highest epoch up to there."""
        for stored in await self._bus.read(self.subject, self.position - 1, limit=1):
            if stored.sequence == self.position:
                self._epochs.admits(stored.message)
        self._recalled = True

    async def _read_log(self) -> None:
        page = await self._bus.read(self.subject, self.position, PAGE)
        self._unread.extend(page)
        if self._consumer is None:
            self._behind = bool(page)
        else:
            self._behind = len(page) == PAGE
        if page:
            self._rest_seconds = REST_SECONDS

    async def _receive(self, patience_seconds: float) -> None:
        if self._consumer is None:
            await self._rest()
            return
        stored = await self._consumer.next(patience_seconds)
        if stored is None:
            self._behind = patience_seconds >= self._poll_seconds
            return
        self._unacknowledged = stored.sequence
        if stored.sequence <= self.position:
            return
        if stored.previous > self.position:
            # Somebody with our durable acknowledged what lies between.
            self._behind = True
            return
        self._unread.append(stored)

    async def _rest(self) -> None:
        """A follower's wait, longer each time that it finds nothing."""
        await self._clock.sleep(self._rest_seconds)
        self._rest_seconds = min(2 * self._rest_seconds, REST_SECONDS_MAX)
        self._behind = True

    async def _acknowledge(self) -> None:
        if self._consumer is not None and 0 < self._unacknowledged <= self.position:
            await self._consumer.ack(self._unacknowledged)
            self._unacknowledged = 0

    def _admits(self, stored: Stored) -> bool:
        self.position = stored.sequence
        message = stored.message
        if not self._epochs.admits(message) or message.id in self._returned:
            return False
        self._remember(message.id)
        return True

    def _remember(self, id: str) -> None:
        self._returned[id] = None
        if len(self._returned) > REMEMBERED:
            del self._returned[next(iter(self._returned))]
