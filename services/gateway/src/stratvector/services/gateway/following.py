"""following: one lane's messages in batches, page by page; what comes meanwhile costs one request.

Nobody waits for the gateway, so it asks a few times a second, whatever the flow's pace.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.chapters import opened_chapter
from stratvector.runtime.inbox import PAGE, Inbox, Place
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.readers import opening_in
from stratvector.trading.chapters import Chapter
from stratvector.trading.lanes import orders_lane
from stratvector.trading.portfolio import Portfolio

REST_SECONDS = 0.25
Noun = TypeVar("Noun")


class Follower:
    """Reads a lane and hands on what it finds; never ends by itself.

    after : the sequence to start above, 0 for the lane's beginning. place : see `Inbox`. is_ready :
    whether a message can be taken; a lane that is ahead of the portfolio's decisions waits for what
    they tell. taken : the sequence of the newest message that was handed on.
    """

    def __init__(
        self,
        ports: Ports,
        lane: str,
        take: Callable[[Sequence[Stored]], None],
        after: int = 0,
        place: Place | None = None,
        is_ready: Callable[[Stored], bool] = lambda stored: True,
    ) -> None:
        self.lane, self.taken = lane, after
        self._inbox = Inbox(ports, lane, follows=True, after=after, place=place)
        self._clock, self._take, self._is_ready = ports.clock, take, is_ready

    async def run(self) -> None:
        """Follow. Whatever `take` raises ends it, with the message that it had in hand."""
        while True:
            batch: list[Stored] = []
            await self._inbox.look(0.0)
            while self._inbox.at_hand():
                batch.append(await self._inbox.next())
            if batch:
                while not self._is_ready(batch[-1]):
                    await self._clock.sleep(REST_SECONDS)
                await self._hand_on(batch)
            if len(batch) < PAGE // 2:
                await self._clock.sleep(REST_SECONDS)

    async def _hand_on(self, batch: Sequence[Stored]) -> None:
        self._take(batch)
        self.taken = batch[-1].sequence


class OrdersFollower(Follower):
    """The portfolio's `orders` lane: decisions in batches, and between them each chapter where it
    opens. So what was proposed and never opened is not met, and what a chapter changes holds from
    the very decision that it holds for.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        take: Callable[[Sequence[Stored]], None],
        open_chapter: Callable[[Chapter], None],
        after: int = 0,
    ) -> None:
        super().__init__(ports, orders_lane(portfolio), take, after)
        self._bus, self._run, self._open = ports.bus, portfolio.run, open_chapter

    async def _hand_on(self, batch: Sequence[Stored]) -> None:
        """Raises OtherChapter where the content of a chapter is not there."""
        for is_opening, messages in groupby(batch, lambda one: one.message.kind is Kind.OPENED):
            if not is_opening:
                await super()._hand_on(list(messages))
                continue
            for stored in messages:
                AT_HAND.set(stored)
                standing = await opened_chapter(self._bus, opening_in(stored), self._run)
                self._open(standing.chapter)
                self.taken = stored.sequence


def decoded(batch: Sequence[Stored], decode: Callable[[bytes], Noun]) -> Iterator[Noun]:
    """What a batch carries; each message is the one in hand while it is decoded."""
    for stored in batch:
        AT_HAND.set(stored)
        yield decode(stored.message.payload)
