"""consumer: a durable pull consumer with two kinds of pull.

    long   a reader that keeps up: deliveries as they come, so a message costs no request of its own
    sweep  a reader that is behind: whatever is there, in one go, so a message costs no wake-up of
           its own; then the pull ends

A reader is behind if it rarely had to wait for what the last pull brought. A pull ends soon when
nothing comes: an owner that stopped then no longer swallows its heir's deliveries.
Acknowledgements are for everything up to a sequence and are sent now and then; what counts is the
reader's own place in the log.
"""

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from stratvector.runtime.jetstream.mailbox import status
from stratvector.runtime.jetstream.wire import delivered_place, stored_from
from stratvector.runtime.ports import Stored

LONG_MAX = 64
SWEEP_MAX = 256
BEHIND_PER_WAIT = 8  # deliveries of a pull per wait for one, from which on the reader is behind
PULL_SECONDS = 5.0
PULL_SLACK_SECONDS = 0.5
REST_SECONDS = 0.1
UNACKNOWLEDGED_MAX = 64
IDLE_SECONDS = 0.1  # a reader that waits no longer than this has work to do
SECOND_NS = 1_000_000_000
PULL_ENDED = ("404", "408")  # a sweep has brought all; the time is up


@dataclass(frozen=True)
class Pull:
    """A request for deliveries and how many it may bring."""

    request: bytes
    deliveries_max: int


def _pull(deliveries_max: int, **more: bool) -> Pull:
    told = {"batch": deliveries_max, "expires": int(PULL_SECONDS * SECOND_NS), **more}
    return Pull(json.dumps(told).encode(), deliveries_max)


LONG = _pull(LONG_MAX)
# Waits for a first message when there is none, and ends with what is there by then.
SWEEP = _pull(SWEEP_MAX, no_wait=True)


class JetStreamConsumer:
    """Speaks `ports.Consumer`; used by one coroutine."""

    def __init__(self, client: Client, stream: str, durable: str) -> None:
        self._client = client
        self._place = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = ""
        self._deliveries: deque[Msg] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._expected = 0
        self._brought, self._waits = 0, 0  # of the newest pull
        self._pull_ends_at = 0.0
        self._reconnects = 0
        self._refused = False
        self._newest = (0, "")
        self._unacknowledged: list[str] = []

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The next delivery, or None when nothing came in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not self._deliveries:
            if loop.time() >= deadline:
                if timeout_seconds >= IDLE_SECONDS:
                    await self._acknowledge()
                return None
            await self._pull(loop.time())
            if not self._deliveries:
                self._waits += 1
                await self._arrival(min(deadline, self._pull_ends_at))
        return self._taken(self._deliveries.popleft())

    async def ack(self, sequence: int) -> None:
        """Acknowledge a delivery and all before it, at the latest when the reader is idle."""
        newest, reply = self._newest
        if sequence == newest:
            self._unacknowledged.append(reply)
            if len(self._unacknowledged) >= UNACKNOWLEDGED_MAX:
                await self._acknowledge()

    async def _pull(self, now: float) -> None:
        """Ask for deliveries, unless a pull of this connection is still open."""
        if self._refused:
            self._refused = False
            await asyncio.sleep(REST_SECONDS)
        reconnects = self._client.stats["reconnects"]
        if self._expected > 0 and now < self._pull_ends_at and reconnects == self._reconnects:
            return
        kind = SWEEP if self._is_behind() else LONG
        with suppress(NatsError):
            if not self._inbox:
                inbox = self._client.new_inbox()
                await self._client.subscribe(inbox, cb=self._deliver)
                self._inbox = inbox
            await self._client.publish(self._place, kind.request, reply=self._inbox)
        self._expected, self._reconnects = kind.deliveries_max, reconnects
        self._brought, self._waits = 0, 0
        self._pull_ends_at = now + PULL_SECONDS + PULL_SLACK_SECONDS

    def _is_behind(self) -> bool:
        """Whether the newest pull brought much more than was waited for."""
        return self._brought >= BEHIND_PER_WAIT * max(1, self._waits)

    async def _arrival(self, deadline: float) -> None:
        """Wait for a delivery or the end of the pull."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        clock = loop.call_at(deadline, self._wake)
        try:
            await self._waiting
        finally:
            clock.cancel()
            self._waiting = None

    async def _deliver(self, message: Msg) -> None:
        code = status(message)
        if code is None:
            self._deliveries.append(message)
            self._expected -= 1
            self._brought += 1
        else:
            self._expected = 0
            self._refused = code not in PULL_ENDED
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _taken(self, message: Msg) -> Stored:
        sequence, stored_at = delivered_place(message.reply)
        self._newest = (sequence, message.reply)
        return stored_from(message.subject, sequence, message.headers, message.data, stored_at)

    async def _acknowledge(self) -> None:
        """Acknowledge the newest; the durable's policy takes all before it along."""
        if self._unacknowledged:
            with suppress(NatsError):
                await self._client.publish(self._unacknowledged[-1], b"+ACK")
            self._unacknowledged.clear()
