"""chapters: what a portfolio's log begins with, put there once by risk and read by everybody else.

The orders lane's owner stores it, under that lane's fence, before its first decision; nothing of
the session is published before. A log that begins with another chapter is another session's.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, cast

from stratvector.contracts.codecs import decode_chapter, encode_chapter
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.lane import REST_SECONDS, Lane
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus, Message, Ports, PublishUnknown, Stored, WrongSequence
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import Reader
from stratvector.runtime.session_document import canonical, document_of
from stratvector.trading.chapters import FIRST, Chapter, ChapterBars
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id, payload_hash
from stratvector.trading.lanes import chapters_lane, chapters_lane_of
from stratvector.trading.meaning.chapters import check_chapter_of
from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    from stratvector.trading.session import Session


class OtherChapter(CannotStart):
    """What is at hand is not what the log began with; the sentence says where they part."""


def first_chapter(session: SessionParts) -> Chapter:
    """The chapter that a session's log begins with. Raises BadSession."""
    if isinstance(session, LoggedSession):
        return session.chapter
    return _chapter_in_memory(cast("Session", session))


@lru_cache(maxsize=4)
def _chapter_in_memory(session: "Session") -> Chapter:
    """Of the session object itself; each service of a world asks at each of its starts."""
    from stratvector.trading.engine.compiling import engine_hash

    bars = tuple(
        ChapterBars(
            universe.name,
            session.bars_hash(universe.name),
            len(session.histories[universe.name].bars),
        )
        for universe in session.portfolio.universes
    )
    document, portfolio = canonical(document_of(session)), session.portfolio
    return Chapter(portfolio.name, FIRST, engine_hash(), document, bars, portfolio.run)


def chapter_message(chapter: Chapter, epoch: int) -> Message:
    """The message of a chapter; its id is of its bytes too, as other messages rest on it."""
    lane, payload = chapters_lane_of(chapter.run, chapter.portfolio), encode_chapter(chapter)
    return Message(lane, _identity(lane, payload), payload, epoch)


def chapter_of(stored: Stored) -> Chapter:
    """The chapter in a message, whose bytes are those that it was stored with.

    Raises OtherChapter, or BadMessage.
    """
    message = stored.message
    if message.id != _identity(message.subject, message.payload):
        raise OtherChapter(f"{message.subject}: the chapter is not the one that was stored")
    return decode_chapter(message.payload)


def _identity(lane: str, payload: bytes) -> str:
    return message_id(hop("chapters").stream, lane, payload_hash(payload))


class ChapterWriter:
    """The `chapters` lane of a portfolio, for the owner of its orders lane."""

    def __init__(self, ports: Ports, chapter: Chapter) -> None:
        self.subject = chapters_lane_of(chapter.run, chapter.portfolio)
        self._bus, self._clock, self._chapter = ports.bus, ports.clock, chapter

    async def open(self, orders: Lane) -> None:
        """Store the chapter if the lane is empty; only the orders lane's owner may ask.

        Raises OtherChapter, or LostOwnership.
        """
        while (last := await self._bus.last(self.subject)) is None:
            orders.check_ownership()
            try:
                await self._bus.publish(chapter_message(self._chapter, orders.epoch), 0)
            except (WrongSequence, PublishUnknown):
                await self._clock.sleep(REST_SECONDS)
        AT_HAND.set(last)
        refuse_other(chapter_of(last), self._chapter)


def chapter_reader(ports: Ports, portfolio: Portfolio) -> Reader[Chapter]:
    """The portfolio's `chapters` lane, followed."""
    lane = chapters_lane(portfolio)
    check = partial(check_chapter_of, portfolio=portfolio)
    return Reader(ports, lane, decode_chapter, check, follows=True)


async def logged_chapters(bus: Bus) -> Sequence[Stored]:
    """The first chapter of every portfolio that a log tells of, as stored."""
    found, after = dict[str, Stored](), 0
    while page := await bus.read(f"{hop('chapters').noun}.>", after):
        after = page[-1].sequence
        for stored in page:
            found.setdefault(stored.message.subject, stored)
    return tuple(found.values())


def refuse_other(logged: Chapter, own: Chapter) -> None:
    """Hold a session at hand against the chapter of its log. Raises OtherChapter."""
    if logged == own:
        return
    if logged.engine_hash != own.engine_hash:
        raise OtherChapter(
            f"the session began with engine {logged.engine_hash} and this is {own.engine_hash}: "
            "continue it with the version that it began with, or start a new one"
        )
    if logged.document != own.document:
        raise OtherChapter("the session's document is not the one that its log began with")
    for one in own.bars:
        if one not in logged.bars:
            raise OtherChapter(
                f"the bars of universe {one.universe} are not those that the log began with"
            )
    raise OtherChapter("the session is not the one that its log began with")
