"""key_value: compare-and-swap on a JetStream bucket, in plain requests.

A bucket is a stream that keeps the newest message of each key; an update names the sequence that it
replaces, and the server refuses it when another one came first.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from stratvector.runtime.jetstream.bus import (
    END_OF_BATCH,
    NOT_FOUND,
    REST_SECONDS,
    WRONG_SEQUENCE,
)
from stratvector.runtime.jetstream.mailbox import Mailbox, NoAnswer, status
from stratvector.runtime.jetstream.wire import EXPECTED, SEQUENCE, SUBJECT
from stratvector.runtime.ports import Entry, WrongRevision

ANSWER_SECONDS_MAX = 2.0
OPERATION = "KV-Operation"


class JetStreamKeyValue:
    """Speaks `ports.KeyValue`. A put whose answer got lost is tried again and then refused, when
    the first try was stored: WrongRevision says only that the key is not at the named revision.
    """

    def __init__(self, client: Client, bucket: str = "owners") -> None:
        self._mailbox = Mailbox(client)
        self._bucket = bucket
        self._log = structlog.get_logger("stratvector.key_value")

    async def get(self, key: str) -> Entry | None:
        """The current entry, or None."""
        place = f"$JS.API.DIRECT.GET.KV_{self._bucket}.$KV.{self._bucket}.{key}"
        while True:
            try:
                answer = await self._mailbox.call(place, b"", None, ANSWER_SECONDS_MAX)
            except NoAnswer as error:
                await self._wait(str(error))
                continue
            code, headers = status(answer), answer.headers or {}
            if code == NOT_FOUND or OPERATION in headers:
                return None
            if code is None:
                return Entry(answer.data, int(headers[SEQUENCE]))
            await self._wait(f"{place}: status {code}")

    async def all(self) -> Mapping[str, Entry]:
        """Every key with its current entry; a thousand keys at most."""
        place, prefix = f"$JS.API.DIRECT.GET.KV_{self._bucket}", f"$KV.{self._bucket}."
        request = json.dumps({"multi_last": [f"{prefix}>"]}).encode()
        while True:
            try:
                answers = await self._mailbox.collect(place, request, ANSWER_SECONDS_MAX)
            except NoAnswer as error:
                await self._wait(str(error))
                continue
            if (code := status(answers[-1])) in (NOT_FOUND, END_OF_BATCH):
                return dict(_entries(answers[:-1], len(prefix)))
            await self._wait(f"{place}: status {code}")

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Write if the key has the given revision (0 = there is no key); the new revision."""
        place = f"$KV.{self._bucket}.{key}"
        headers = {EXPECTED: str(revision)}
        while True:
            try:
                answer = await self._mailbox.call(place, value, headers, ANSWER_SECONDS_MAX)
            except NoAnswer as error:
                await self._wait(str(error))
                continue
            if status(answer) is not None:
                await self._wait(f"{place}: status {status(answer)}")
                continue
            told = json.loads(answer.data)
            if "error" not in told:
                return int(told["seq"])
            if told["error"].get("err_code") == WRONG_SEQUENCE:
                raise WrongRevision(f"{key}: {told['error'].get('description')}")
            await self._wait(f"{place}: {told['error']}")

    async def _wait(self, why: str) -> None:
        self._log.warning("asking again", why=why)
        await asyncio.sleep(REST_SECONDS)


def _entries(answers: Iterable[Msg], prefix_length: int) -> Iterator[tuple[str, Entry]]:
    """What stands there; a key that was removed is none."""
    for answer in answers:
        headers = answer.headers or {}
        if OPERATION not in headers:
            entry = Entry(answer.data, int(headers[SEQUENCE]))
            yield headers[SUBJECT][prefix_length:], entry
