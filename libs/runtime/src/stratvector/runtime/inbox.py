"""inbox: each message of a subject once and in order, whatever the deliveries do.

The durable consumer is only a bell: what counts is the position in the log. Deliveries at or below
it are dropped, and when one shows a gap, or none comes in time, the log itself is read.
"""

from collections import deque

from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.ports import Ports, Stored

PAGE = 256


class Inbox:
    """One reader's end of a subject; used by one coroutine.

    durable : the consumer's name on the bus. after : the sequence to start above (0 = from the
    beginning), of a message that this reader has folded before. poll_seconds : how long to trust
    the consumer's silence before reading the log. position : the sequence up to which everything
    was returned or dropped.
    """

    def __init__(
        self, ports: Ports, durable: str, subject: str, after: int = 0, poll_seconds: float = 2.0
    ) -> None:
        self.subject = subject
        self.position = after
        self._bus = ports.bus
        self._consumer = ports.bus.consumer(durable, subject)
        self._poll_seconds = poll_seconds
        self._epochs = EpochFilter()
        self._returned: set[str] = set()
        self._unread: deque[Stored] = deque()
        self._unacknowledged = 0
        self._behind = True
        self._recalled = after == 0

    async def next(self) -> Stored:
        """The next message of content; asking for it acknowledges the one before."""
        if not self._recalled:
            await self._recall_epoch()
        while True:
            await self._acknowledge()
            if self._unread:
                stored = self._unread.popleft()
                if self._admits(stored):
                    return stored
            elif self._behind:
                await self._read_log()
            else:
                await self._receive()

    async def _recall_epoch(self) -> None:
        """The message at the starting position carries the highest epoch up to there."""
        for stored in await self._bus.read(self.subject, self.position - 1, limit=1):
            if stored.sequence == self.position:
                self._epochs.admits(stored.message)
        self._recalled = True

    async def _read_log(self) -> None:
        page = await self._bus.read(self.subject, self.position, PAGE)
        self._unread.extend(page)
        self._behind = len(page) == PAGE

    async def _receive(self) -> None:
        stored = await self._consumer.next(self._poll_seconds)
        if stored is None:
            self._behind = True
            return
        self._unacknowledged = stored.sequence
        if stored.sequence <= self.position:
            return
        if stored.previous > self.position:
            # Somebody with our durable acknowledged what lies between.
            self._behind = True
            return
        self._unread.append(stored)

    async def _acknowledge(self) -> None:
        if 0 < self._unacknowledged <= self.position:
            await self._consumer.ack(self._unacknowledged)
            self._unacknowledged = 0

    def _admits(self, stored: Stored) -> bool:
        self.position = stored.sequence
        message = stored.message
        if not self._epochs.admits(message) or message.id in self._returned:
            return False
        self._returned.add(message.id)
        return True
