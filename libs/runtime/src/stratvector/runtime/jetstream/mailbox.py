"""mailbox: requests and their answers over one inbox subscription, one answer or a stream of them.

Costs one subscription for a whole process and no task per request; the client's own `request` makes
a unique token and a time-out task each time.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import BadSubjectError, MaxPayloadError
from nats.errors import Error as NatsError

STATUS = "Status"

Headers = Mapping[str, str]


class NoAnswer(Exception):
    """The request may or may not have arrived; nothing is known."""


class Unsendable(Exception):
    """The request never left, and never will: it is too large, or its subject is none."""


class Mailbox:
    """Asks on one connection. Used by any number of coroutines of one event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = ""
        self._offset = 0
        self._numbers = count(1)
        self._open: dict[str, Callable[[Msg], None]] = {}
        self._opening = asyncio.Lock()
        self._is_open = False

    async def call(
        self, subject: str, payload: bytes, headers: Headers | None, timeout_seconds: float
    ) -> Msg:
        """The first answer.

        Raises NoAnswer after the time-out or without a connection, Unsendable.
        """
        answers = await self._exchange(subject, payload, headers, timeout_seconds, _always)
        return answers[0]

    async def collect(self, subject: str, payload: bytes, timeout_seconds: float) -> list[Msg]:
        """Every answer up to the one with a status header, it included. Raises NoAnswer."""
        return await self._exchange(subject, payload, None, timeout_seconds, _has_status)

    async def _exchange(
        self,
        subject: str,
        payload: bytes,
        headers: Headers | None,
        timeout_seconds: float,
        is_last: Callable[[Msg], bool],
    ) -> list[Msg]:
        if not self._is_open:
            await self._subscribe()
        token = str(next(self._numbers))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answers: list[Msg] = []

        def take(message: Msg) -> None:
            answers.append(message)
            if is_last(message) and not done.done():
                done.set_result(None)

        self._open[token] = take
        clock = asyncio.get_running_loop().call_later(timeout_seconds, _give_up, done, subject)
        try:
            reply = f"{self._prefix}.{token}"
            kept = None if headers is None else dict(headers)
            await self._client.publish(subject, payload, reply=reply, headers=kept)
            await done
        except (MaxPayloadError, BadSubjectError) as error:
            raise Unsendable(f"{subject}: {error}") from error
        except NatsError as error:
            raise NoAnswer(f"{subject}: {error}") from error
        finally:
            clock.cancel()
            del self._open[token]
        return answers

    async def _subscribe(self) -> None:
        """Once; whoever asks meanwhile waits for it. An attempt that is cut short may stand, so the
        next one has another inbox, or answers would come twice.
        """
        async with self._opening:
            if self._is_open:
                return
            self._prefix = self._client.new_inbox()
            self._offset = len(self._prefix) + 1
            try:
                await self._client.subscribe(f"{self._prefix}.*", cb=self._deliver)
            except NatsError as error:
                raise NoAnswer(str(error)) from error
            self._is_open = True

    async def _deliver(self, message: Msg) -> None:
        take = self._open.get(message.subject[self._offset :])
        if take is not None:
            take(message)


def status(message: Msg) -> str | None:
    """The status code of an answer that carries no message, such as 503 (nobody listens)."""
    return None if message.headers is None else message.headers.get(STATUS)


def _always(message: Msg) -> bool:
    return True


def _has_status(message: Msg) -> bool:
    return status(message) is not None


def _give_up(done: "asyncio.Future[None]", subject: str) -> None:
    if not done.done():
        done.set_exception(NoAnswer(f"{subject}: no answer in time"))
