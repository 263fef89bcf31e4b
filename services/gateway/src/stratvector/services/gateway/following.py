"""following: one lane's messages in batches, page by page; what comes meanwhile costs one request.

Nobody waits for the gateway, so it asks a few times a second, whatever the flow's pace.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.inbox import PAGE, Inbox
from stratvector.runtime.ports import Kind, Ports, Stored

REST_SECONDS = 0.25
Noun = TypeVar("Noun")


class Follower:
    """Reads a lane from its beginning and hands on what it finds; never ends by itself."""

    def __init__(self, ports: Ports, lane: str, take: Callable[[Sequence[Stored]], None]) -> None:
        self._inbox = Inbox(ports, lane, follows=True)
        self._clock, self._take = ports.clock, take

    async def run(self) -> None:
        """Follow. Whatever `take` raises ends it, with the message that it had in hand."""
        while True:
            batch: list[Stored] = []
            await self._inbox.look(0.0)
            while self._inbox.at_hand():
                batch.append(await self._inbox.next())
            if batch:
                self._take(batch)
            if len(batch) < PAGE // 2:
                await self._clock.sleep(REST_SECONDS)


def decoded(batch: Sequence[Stored], decode: Callable[[bytes], Noun]) -> Iterator[Noun]:
    """What a batch carries; each message is the one in hand while it is decoded. The opening of a
    chapter is no noun.
    """
    for stored in batch:
        if stored.message.kind is Kind.OPENED:
            continue
        AT_HAND.set(stored)
        yield decode(stored.message.payload)
