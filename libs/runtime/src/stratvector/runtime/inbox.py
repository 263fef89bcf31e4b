"""inbox: each message of a subject once and in order, whatever is lost on the way.

A reader hears what the bus stores; its position in the log decides what was read. What it hears at
or below that is dropped, and when a message shows a gap, or none comes in time, the log itself is
read. So the server keeps no place for any reader.

A follower does not listen: it reads the log page by page, and rests when there is nothing new. What
comes meanwhile costs one request instead of a message each.
"""

from collections import deque
from collections.abc import Awaitable, Callable

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.ports import Arrivals, Ports, Stored

PAGE = 256
REMEMBERED = 1_024  # ids; the same message twice in a lane can only stand close together
POLL_SECONDS = 2.0
REST_SECONDS = 0.05
REST_SECONDS_MAX = 0.5

# Where in a lane to begin: the sequence to start above; None while the lane does not tell it.
Place = Callable[[], Awaitable[int | None]]


class Inbox:
    """One reader's end of a subject; used by one coroutine.

    follows : never listens. after : the sequence to start above (0 = from the beginning), of a
    message that this reader has folded before. poll_seconds : how long to trust that nothing is
    heard because there is nothing, before reading the log. place : asked for `after` until it is
    told, where nobody has folded any message yet; None where `after` is known.
    position : the sequence up to which everything was returned, dropped or is at hand.
    """

    def __init__(
        self,
        ports: Ports,
        subject: str,
        follows: bool = False,
        after: int = 0,
        poll_seconds: float = POLL_SECONDS,
        place: Place | None = None,
    ) -> None:
        self.subject = subject
        self.position = after
        self._bus, self._clock, self._spans = ports.bus, ports.clock, ports.spans
        self._follows = follows
        self._arrivals: Arrivals | None = None
        self._poll_seconds, self._place = poll_seconds, place
        self._rest_seconds = REST_SECONDS
        self._epochs = EpochFilter()
        self._returned: dict[str, None] = {}
        self._unread: deque[Stored] = deque()
        self._next: Stored | None = None
        self._behind = True
        self._started = False
        self._heard_at = 0.0

    async def next(self) -> Stored:
        """The next message of content."""
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
        if not self._started:
            if not await self._find_place(patience_seconds):
                return False
            await self._start()
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

    async def look_in_log(self) -> bool:
        """Whether there is a message for `next`, as the log is now: whatever was stored before this
        was asked is seen.
        """
        if not self.at_hand():
            self._behind = True
        return await self.look(0.0)

    def at_hand(self) -> bool:
        """Whether `next` has a message without asking the bus."""
        while self._next is None and self._unread:
            stored = self._unread.popleft()
            if self._admits(stored):
                self._next = stored
        return self._next is not None

    async def listen(self) -> None:
        """From now on hear each message as it comes, where this reader only followed."""
        if self._follows:
            self._follows = False
            if self._started:
                self._arrivals = await self._bus.arrivals(self.subject)
                self._behind = True

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        if self._arrivals is not None:
            await self._arrivals.close()

    async def _find_place(self, patience_seconds: float) -> bool:
        """Whether it is known where to begin, or is in time."""
        deadline = self._clock.monotonic_seconds() + patience_seconds
        while self._place is not None:
            if (found := await self._place()) is not None:
                self.position, self._place = found, None
            elif self._clock.monotonic_seconds() >= deadline:
                return False
            else:
                await self._clock.sleep(REST_SECONDS)
        return True

    async def _start(self) -> None:
        """Listen before the log is read first, so that nothing falls between the two."""
        if not self._follows:
            self._arrivals = await self._bus.arrivals(self.subject)
        if self.position:
            await self._recall_epoch()
        self._started = True

    async def _recall_epoch(self) -> None:
        """The message at the starting position carries the highest epoch up to there."""
        for stored in await self._bus.read(self.subject, self.position - 1, limit=1):
            if stored.sequence == self.position:
                self._epochs.admits(stored.message)

    async def _read_log(self) -> None:
        page = await self._bus.read(self.subject, self.position, PAGE)
        self._unread.extend(page)
        self._behind = bool(page) if self._follows else len(page) == PAGE
        self._heard_at = self._clock.monotonic_seconds()
        if page:
            self._rest_seconds = REST_SECONDS

    async def _receive(self, patience_seconds: float) -> None:
        if self._arrivals is None:
            await self._rest()
            return
        stored = await self._arrivals.next(patience_seconds)
        if stored is None:
            silent_seconds = self._clock.monotonic_seconds() - self._heard_at
            self._behind = max(silent_seconds, patience_seconds) >= self._poll_seconds
            return
        self._heard_at = self._clock.monotonic_seconds()
        if stored.previous > self.position:
            self._behind = True  # what lies between was lost on its way
        elif stored.sequence > self.position:
            self._unread.append(stored)

    async def _rest(self) -> None:
        """A follower's wait, longer each time that it finds nothing."""
        await self._clock.sleep(self._rest_seconds)
        self._rest_seconds = min(2 * self._rest_seconds, REST_SECONDS_MAX)
        self._behind = True

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
