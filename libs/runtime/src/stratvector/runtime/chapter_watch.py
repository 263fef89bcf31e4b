"""chapter_watch: how who is ahead of the decisions learns that a chapter has opened."""

from collections.abc import Awaitable, Callable

from stratvector.contracts.codecs import Decided, decode_chapter, decode_decided
from stratvector.runtime.chapters import (
    Standing,
    newest_chapter,
    opened_chapter,
    openings_after,
)
from stratvector.runtime.epochs import newest_content
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Bus, Kind, Ports, Stored
from stratvector.runtime.readers import opening_in
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST
from stratvector.trading.lanes import chapters_lane, orders_lane
from stratvector.trading.portfolio import Portfolio

END_LOOK_SECONDS = 2.0  # between two looks whether a portfolio was stopped, while no bars come


Prepare = Callable[[Standing], Awaitable[None]]


class ChapterWatch:
    """Hears what is proposed in a portfolio's `chapters` lane, and looks for its opening in the
    orders lane. Used by one coroutine.

    prepare : called with each proposal of another document, before its opening is looked for.
    follows : the lane is read page by page, and not listened to.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        prepare: Prepare | None = None,
        follows: bool = False,
    ) -> None:
        self._prepare, self._follows = prepare, follows
        self._ports, self._portfolio = ports, portfolio
        self._number, self._document = FIRST, ""
        self._pending: dict[str, Carried] = {}  # by the proposal's id
        self._proposals: Inbox | None = None
        self._look_at = 0.0

    async def begin(self) -> Standing | None:
        """The newest chapter that has opened, None while the first one is not there."""
        portfolio = self._portfolio
        standing = await newest_chapter(self._ports.bus, portfolio.run, portfolio.name)
        after = 0
        if standing is not None:
            self._number, after = standing.number, standing.sequence
            self._document = standing.chapter.document
        self._proposals = Inbox(self._ports, chapters_lane(portfolio), self._follows, after)
        return standing

    async def opened(self) -> Standing | None:
        """The next chapter, if one has opened. What is proposed need not open: its owner may have
        died, and one that goes on with another engine decides first.
        """
        assert self._proposals is not None, "begin comes first"
        while await self._proposals.look(0.0):
            await self._note(await self._proposals.next())
        lane, bus = orders_lane(self._portfolio), self._ports.bus
        for identity, carried in tuple(self._pending.items()):
            openings, is_decided = await openings_after(bus, lane, carried)
            if openings and openings[-1].number > self._number:
                standing = await opened_chapter(bus, openings[-1], self._portfolio.run)
                self._number, self._document = standing.number, standing.chapter.document
                return standing
            if is_decided:
                del self._pending[identity]
        return None

    async def _note(self, stored: Stored) -> None:
        """A proposal."""
        proposed = decode_chapter(stored.message.payload)
        if proposed.carried is None:
            self._document = self._document or proposed.document  # the first chapter's
        if proposed.number <= self._number or proposed.carried is None:
            return
        # What names nothing new needs no word, which would take the place of one that says why not.
        if self._prepare is not None and proposed.document != self._document:
            await self._prepare(Standing(proposed, stored.message.id, stored.sequence))
        self._pending[stored.message.id] = proposed.carried

    async def has_decided(self, close_time: int) -> bool:
        """Whether the decision of a close (ns UTC), or one after it, is in the log: no chapter will
        open before it any more.
        """
        newest = await newest_decided(self._ports.bus, orders_lane(self._portfolio))
        return newest is not None and newest.close_time >= close_time

    async def has_ended(
        self, last_close: int | None = None, every_seconds: float = END_LOOK_SECONDS
    ) -> bool:
        """Whether the portfolio was stopped, and has ended, or its last close (ns UTC) is decided;
        asked now and then alone.
        """
        now = self._ports.clock.monotonic_seconds()
        if now < self._look_at:
            return False
        self._look_at = now + every_seconds
        newest = await newest_decided(self._ports.bus, orders_lane(self._portfolio))
        if newest is None or newest.ended:
            return newest is not None
        return last_close is not None and newest.close_time >= last_close


async def newest_decided(bus: Bus, lane: str) -> Decided | None:
    """How far the newest decision in an orders lane is, None before the first."""
    last = await newest_content(bus, lane)
    if last is None:
        return None
    if last.message.kind is Kind.OPENED:
        return Decided(opening_in(last).close_time, ended=False)
    return decode_decided(last.message.payload)
