"""arrivals: what a stream publishes again as it stores it, heard on one subject.

    publisher ─▶ orders.main.paper ─▶ stream ORDERS ─▶ stored.orders.main.paper ─▶ every reader

Core NATS: no place is kept for the reader, nothing is acknowledged, and whatever is lost on the way
stays lost. Each message carries its sequence and the one before it, so a reader sees a gap and
reads the log. Refused and repeated publishes are not heard. The reader holds the newest only; what
it is too slow for it reads from the log, too.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime
from typing import Self

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from stratvector.runtime.at_hand import LISTENING
from stratvector.runtime.jetstream.wire import SEQUENCE, STORED_AT, SUBJECT, stored_from
from stratvector.runtime.ports import Stored
from stratvector.trading.flow import stored_subject

KEPT = 256
REST_SECONDS = 0.1


class JetStreamArrivals:
    """Speaks `ports.Arrivals`; used by one coroutine."""

    def __init__(self) -> None:
        self._arrived: deque[Msg] = deque(maxlen=KEPT)
        self._waiting: asyncio.Future[None] | None = None
        self._subscription: Subscription | None = None

    @classmethod
    async def of(cls, client: Client, subject: str) -> Self:
        """Subscribed: whatever the server stores after the next answer to this client is heard."""
        arrivals = cls()
        while True:
            try:
                arrivals._subscription = await client.subscribe(
                    stored_subject(subject), cb=arrivals._deliver
                )
                if (listening := LISTENING.get()) is not None:
                    listening.add(arrivals)
                return arrivals
            except NatsError as error:
                structlog.get_logger("stratvector.bus").warning("subscribing again", why=str(error))
                await asyncio.sleep(REST_SECONDS)

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The next message that was heard, or None when none came in time."""
        if not self._arrived and timeout_seconds > 0:
            await self._arrival(timeout_seconds)
        return _stored(self._arrived.popleft()) if self._arrived else None

    async def close(self) -> None:
        """Hear nothing more; on a connection that is away, nothing is heard anyway."""
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
        self._arrived.clear()
        if (listening := LISTENING.get()) is not None:
            listening.discard(self)

    async def _arrival(self, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        clock = loop.call_later(timeout_seconds, self._wake)
        try:
            await self._waiting
        finally:
            clock.cancel()
            self._waiting = None

    async def _deliver(self, message: Msg) -> None:
        """What a stream says carries its place there; anything else was said by somebody else."""
        if SEQUENCE in (message.headers or {}):
            self._arrived.append(message)
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _stored(message: Msg) -> Stored:
    """Raises ForeignMessage."""
    told = message.headers or {}
    stored_at = _nanoseconds(told[STORED_AT])
    return stored_from(told[SUBJECT], int(told[SEQUENCE]), told, message.data, stored_at)


def _nanoseconds(text: str) -> int:
    """Of a time in RFC 3339, to the microsecond, which is as fine as metrics need it."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) * 1_000
