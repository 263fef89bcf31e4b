"""chapters: the stretches of a portfolio's life, written by risk and read by everybody else.

    decision … last decision of k ─▶ content of k+1 (chapters lane) ─▶ opened k+1 (orders lane) ─▶ …

The first one is stored before the first decision, in an empty lane; nothing of the session is
published before. A later one is open when the orders lane says so, which only that lane's owner
can: content alone has no effect. Who starts begins with the newest chapter that is open.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, cast

from stratvector.contracts.codecs import decode_chapter, encode_chapter, encode_opened
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.chapter_changes import (
    OtherChapter,
    as_first,
    refuse_begun,
    renewed_models,
    versioned,
)
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.lane import REST_SECONDS, Lane
from stratvector.runtime.logged_session import LoggedSession, portfolio_of
from stratvector.runtime.ports import (
    Bus,
    Kind,
    Message,
    Ports,
    PublishUnknown,
    Stored,
    WrongSequence,
)
from stratvector.runtime.readers import Reader, carried_sequence, opening_in
from stratvector.runtime.session_document import BadSession, canonical, document_of
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Chapter, ChapterBars, Opened
from stratvector.trading.closing import LostSymbol, refuse_lost, with_closing
from stratvector.trading.flow import hop, subject
from stratvector.trading.identity import message_id, payload_hash
from stratvector.trading.lanes import chapters_lane, chapters_lane_of
from stratvector.trading.meaning.chapters import check_chapter_of
from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    from stratvector.trading.session import Session
    from stratvector.trading.strategy import Strategy


def first_chapter(session: SessionParts) -> Chapter:
    """The chapter that a session's log begins with. Raises BadSession."""
    if isinstance(session, LoggedSession):
        return session.chapter
    return _chapter_in_memory(cast("Session", session))


@lru_cache(maxsize=16)
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


@dataclass(frozen=True)
class Standing:
    """A chapter that holds. id, sequence : of the message with its content."""

    chapter: Chapter
    id: str
    sequence: int

    @property
    def carried(self) -> Carried | None:
        """What it begins with; None in the first one."""
        return self.chapter.carried

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self.chapter.number

    @property
    def portfolio(self) -> Portfolio:
        """See `portfolio_in`."""
        return portfolio_in(self.chapter)


class ChapterWriter:
    """The `chapters` lane of a portfolio, for the owner of its orders lane. engine : hash of the
    owner's, which decides in every chapter that he opens.
    """

    def __init__(self, ports: Ports, chapter: Chapter) -> None:
        self.subject = chapters_lane_of(chapter.run, chapter.portfolio)
        self._bus, self._clock = ports.bus, ports.clock
        self.engine = ports.engine or chapter.engine_hash
        self._first = replace(chapter, engine_hash=self.engine)

    async def standing(self, orders: Lane) -> Standing:
        """The chapter that holds: the newest that has opened, or the first one, which is stored if
        the lane is empty; only the orders lane's owner may ask.

        Raises OtherChapter where the log began with something else, or LostOwnership.
        """
        while (last := await self._bus.last(self.subject)) is None:
            await self._store(orders, self._first, 0)
        AT_HAND.set(last)
        newest = await newest_chapter(self._bus, self._first.run, self._first.portfolio)
        assert newest is not None
        refuse_begun(newest.chapter, self._first)
        return newest

    async def open(
        self, orders: Lane, before: Standing, carried: Carried, wanted: Chapter | None = None
    ) -> Standing:
        """Store what the chapter after another one begins with, and open it.

        wanted : whose document it has, None for that of the chapter before; of a universe with
        other symbols than before, or that comes back, it has the next version, and models that have
        another strategy there begin anew. Raises LostOwnership.
        """
        stored = await self.propose(orders, before, carried, wanted)
        chapter, number = decode_chapter(stored.message.payload), before.number + 1
        opened = Opened(
            chapter.portfolio, number, stored.message.id, stored.sequence, carried.close_time
        )
        stream = hop("orders").stream
        identity = message_id(stream, orders.subject, "opened", number, stored.message.id)
        payload = encode_opened(opened)
        await orders.publish(identity, payload, carried.close_time, Kind.OPENED)
        return Standing(chapter, stored.message.id, stored.sequence)

    async def propose(
        self, orders: Lane, before: Standing, carried: Carried, wanted: Chapter | None
    ) -> Stored:
        """Store the content of a chapter, which has no effect yet: an earlier owner's, which never
        opened, may be before it, and a sleeper's may come after it. Raises LostOwnership.
        """
        chapter = versioned(before.chapter, wanted or before.chapter)
        chapter = replace(
            chapter,
            number=before.number + 1,
            engine_hash=self.engine,
            previous=before.id,
            carried=carried.begun_anew(renewed_models(before.chapter, chapter)),
        )
        identity = chapter_message(chapter, orders.epoch).id
        while True:
            last = await self._bus.last(self.subject)
            if last is not None and last.message.id == identity:
                return last
            await self._store(orders, chapter, 0 if last is None else last.sequence)

    async def _store(self, orders: Lane, chapter: Chapter, expected: int) -> None:
        orders.check_ownership()
        try:
            await self._bus.publish(chapter_message(chapter, orders.epoch), expected)
        except (WrongSequence, PublishUnknown):
            await self._clock.sleep(REST_SECONDS)


def portfolio_in(chapter: Chapter) -> Portfolio:
    """The portfolio of a chapter: as its document describes it, and models that it no longer names
    as closing ones. Raises BadSession.
    """
    portfolio = with_closing(portfolio_of(as_first(chapter)), chapter.carried)
    try:
        refuse_lost(portfolio, chapter.carried)
    except LostSymbol as error:
        raise BadSession(f"chapter {chapter.number} of {chapter.portfolio}: {error}") from None
    return portfolio


def strategy_in(chapter: Chapter, model: str) -> "Strategy":
    """One model's of a chapter's document, as it is installed here. Raises BadSession."""
    return LoggedSession(as_first(chapter)).strategy(model)


def strategies_in(chapter: Chapter) -> Mapping[str, "Strategy"]:
    """Per model that a chapter's document names, as they are installed here. Raises BadSession."""
    return LoggedSession(as_first(chapter)).strategies


async def newest_chapter(
    bus: Bus, run: str, portfolio: str, until: int | None = None
) -> Standing | None:
    """The newest chapter that has opened, None before the first.

    until : what it begins with must not be of a later close, ns UTC. Raises OtherChapter,
    BadMessage.
    """
    async for standing in _from_the_newest(bus, run, portfolio):
        carried = standing.carried
        if until is None or carried is None or carried.close_time <= until:
            return standing
    return None


async def opened_chapters(bus: Bus, run: str, portfolio: str, after: int = 0) -> list[Standing]:
    """Every chapter that has opened, in their order. Raises OtherChapter, BadMessage.

    after : only those whose content has a sequence above.
    """
    found = list[Standing]()
    async for standing in _from_the_newest(bus, run, portfolio):
        if standing.sequence <= after:
            break
        found.append(standing)
    return found[::-1]


async def _from_the_newest(bus: Bus, run: str, portfolio: str) -> AsyncIterator[Standing]:
    """The newest of which the orders lane says that it has opened, then each that one names as the
    chapter before it, of which that lane may tell no more.
    """
    wanted: str | None = None
    lane = chapters_lane_of(run, portfolio)
    async for stored in _backward(bus, lane):
        if wanted is not None and stored.message.id != wanted:
            continue
        chapter = chapter_of(stored)
        if wanted is not None or await _has_opened(bus, stored, chapter):
            yield Standing(chapter, stored.message.id, stored.sequence)
            wanted = chapter.previous
    if wanted:
        raise OtherChapter(f"{lane}: chapter {wanted} is not there")


async def oldest_readable(bus: Bus, run: str, portfolio: str) -> Standing | None:
    """The oldest chapter that the log still has whole; None where that is the first one. Raises
    OtherChapter, BadMessage.
    """
    lane = subject("orders", run=run, portfolio=portfolio)
    first = await bus.read(lane, 0, 1)
    if not first or not first[0].previous:
        return None
    for standing in await opened_chapters(bus, run, portfolio):
        if carried_sequence(standing.carried, lane) >= first[0].sequence:
            return standing
    raise OtherChapter(f"{lane}: the log begins in the middle of its newest chapter")


async def is_readable(bus: Bus, lane: str, after: int) -> bool:
    """Whether a lane still has all that came after a message of it, 0 for all that there was."""
    if after:
        page = await bus.read(lane, after - 1, 1)
        return bool(page) and page[0].sequence == after
    page = await bus.read(lane, 0, 1)
    return not page or not page[0].previous


async def _backward(bus: Bus, lane: str) -> AsyncIterator[Stored]:
    """A lane that nobody purges, from its newest message on: who wants the newest chapter of years
    reads a message or two.
    """
    stored = await bus.last(lane)
    while stored is not None:
        yield stored
        page = await bus.read(lane, stored.previous - 1, 1) if stored.previous else ()
        stored = page[0] if page else None


async def opened_chapter(bus: Bus, opened: Opened, run: str) -> Standing:
    """The chapter that an opening names. Raises OtherChapter when it is not there."""
    lane = chapters_lane_of(run, opened.portfolio)
    for stored in await bus.read(lane, opened.sequence - 1, 1):
        chapter = chapter_of(stored)
        if stored.message.id == opened.chapter_id and chapter.number == opened.number:
            AT_HAND.set(stored)
            return Standing(chapter, stored.message.id, stored.sequence)
    raise OtherChapter(
        f"{lane}: message {opened.sequence} is not chapter {opened.number}, which opened"
    )


async def _has_opened(bus: Bus, stored: Stored, chapter: Chapter) -> bool:
    """Whether the orders lane says so, right after the last decision before it; of the first
    chapter there is one message alone, as it must be stored in an empty lane.
    """
    if (carried := chapter.carried) is None:
        return True
    lane = subject("orders", run=chapter.run, portfolio=chapter.portfolio)
    openings, _ = await openings_after(bus, lane, carried)
    return any(opened.chapter_id == stored.message.id for opened in openings)


async def openings_after(bus: Bus, lane: str, carried: Carried) -> tuple[list[Opened], bool]:
    """The chapters that have opened between the last decision before one and the next decision,
    in an orders lane; and whether that one is there, so that no other opens before it.
    """
    position, found = carried_sequence(carried, lane), list[Opened]()
    while page := await bus.read(lane, position):
        for stored in page:
            if stored.message.kind is Kind.CONTENT:
                return found, True
            if stored.message.kind is Kind.OPENED:
                found.append(opening_in(stored))
        position = page[-1].sequence
    return found, False


def chapter_reader(ports: Ports, portfolio: Portfolio) -> Reader[Chapter]:
    """The portfolio's `chapters` lane, followed; each message of it is a proposal."""
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
