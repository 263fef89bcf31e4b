"""bus: the log on JetStream, behind the bus port.

Reads never fail: they wait for the server as long as it takes, and the lease tells an owner when
that was too long. Only a publish may end without an answer, as its fate matters.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from stratvector.runtime.jetstream.arrivals import JetStreamArrivals
from stratvector.runtime.jetstream.mailbox import Mailbox, NoAnswer, Unsendable, status
from stratvector.runtime.jetstream.wire import (
    SEQUENCE,
    SUBJECT,
    headers_of,
    page_request,
    stored_from,
)
from stratvector.runtime.ports import (
    ForeignMessage,
    Message,
    Published,
    PublishUnknown,
    RuntimePortError,
    Stored,
    WrongSequence,
)
from stratvector.trading.flow import stream_of

PUBLISH_SECONDS_MAX = 2.0
READ_SECONDS_MAX = 5.0
REST_SECONDS = 0.1
WRONG_SEQUENCE = 10071
NOT_FOUND = "404"
END_OF_BATCH = "204"


class PublishRefused(RuntimePortError):
    """The server understood the publish and will never store it, such as when it is too large."""


class JetStreamBus:
    """Speaks `ports.Bus` on one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._mailbox = Mailbox(client)
        self._log = structlog.get_logger("stratvector.bus")

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """Store a message if its subject's last sequence is the expected one.

        Raises WrongSequence, PublishUnknown, or PublishRefused for every other refusal.
        """
        headers = headers_of(message, expected_sequence)
        subject = message.subject
        try:
            answer = await self._mailbox.call(
                subject, message.payload, headers, PUBLISH_SECONDS_MAX
            )
        except NoAnswer as error:
            raise PublishUnknown(str(error)) from error
        except Unsendable as error:
            raise PublishRefused(str(error)) from error
        if status(answer) is not None:
            raise PublishUnknown(f"{subject}: status {status(answer)}")
        told = json.loads(answer.data)
        if "error" in told:
            raise _refusal(subject, expected_sequence, told["error"])
        return Published(told["seq"], bool(told.get("duplicate")))

    async def last(self, subject: str) -> Stored | None:
        """The newest message of a subject."""
        place = f"$JS.API.DIRECT.GET.{stream_of(subject)}.{subject}"
        while True:
            try:
                answer = await self._mailbox.call(place, b"", None, READ_SECONDS_MAX)
            except NoAnswer as error:
                await self._wait(str(error))
                continue
            code = status(answer)
            if code is None:
                return _stored(answer)
            if code == NOT_FOUND:
                return None
            await self._wait(f"{place}: status {code}")

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """Up to `limit` messages of a subject with a sequence above `after`, in order."""
        place = f"$JS.API.DIRECT.GET.{stream_of(subject)}"
        request = page_request(subject, after, limit)
        while True:
            try:
                answers = await self._mailbox.collect(place, request, READ_SECONDS_MAX)
            except NoAnswer as error:
                await self._wait(str(error))
                continue
            code = status(answers[-1])
            if code in (NOT_FOUND, END_OF_BATCH):
                return _page(answers[:-1])
            await self._wait(f"{place}: status {code}")

    async def arrivals(self, subject: str) -> JetStreamArrivals:
        """Listen to a subject: what is stored after a later read's answer is heard, or lost."""
        return await JetStreamArrivals.of(self._client, subject)

    async def _wait(self, why: str) -> None:
        self._log.warning("reading again", why=why)
        await asyncio.sleep(REST_SECONDS)


def _page(answers: Sequence[Msg]) -> list[Stored]:
    """What stands before a message that is not ours is read first; the next page begins with it."""
    page = list[Stored]()
    for answer in answers:
        try:
            page.append(_stored(answer))
        except ForeignMessage:
            if not page:
                raise
            break
    return page


def _stored(answer: Msg) -> Stored:
    headers = answer.headers or {}
    return stored_from(headers[SUBJECT], int(headers[SEQUENCE]), headers, answer.data)


def _refusal(subject: str, expected: int, error: dict[str, Any]) -> RuntimePortError:
    text = str(error.get("description", error))
    if error.get("err_code") == WRONG_SEQUENCE:
        actual = text.rsplit(" ", 1)[-1]
        return WrongSequence(subject, expected, int(actual) if actual.isdigit() else -1)
    if error.get("code") == 503:
        return PublishUnknown(f"{subject}: {text}")
    return PublishRefused(f"{subject}: the server will not store it: {text}")
