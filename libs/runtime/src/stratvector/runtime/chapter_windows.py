"""chapter_windows: a log read chapter by chapter, each as a log of its own.

    archive's files ─▶ closed chapters in the log ─▶ the chapter that is open

A window is a chapter's messages, what it goes on from (the last message and the last owner of each
lane, the bars that its models look back on), and the opening of the next one. So a life of any
length is checked in the memory that two of its chapters take: each window is computed from what
its chapter carries, and must come to what the next one carries.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.archive import Archive, BadArchive, ChapterPart
from stratvector.runtime.archived_log import (
    ArchivedLog,
    between,
    chapter_part,
    positions_place,
)
from stratvector.runtime.chapters import Standing, opened_chapters
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus, Kind, Stored
from stratvector.runtime.purging import computed_from, histories
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.session_log import read_session
from stratvector.trading.chapters import FIRST
from stratvector.trading.lanes import bars_lane, chapters_lane_of, positions_lane
from stratvector.trading.logged import SessionLog

Lanes = Mapping[str, Sequence[Stored]]


@dataclass(frozen=True)
class ChapterWindow:
    """A chapter as a log of its own. log : what is in memory of it. is_closed : another chapter has
    opened after it.
    """

    standing: Standing
    log: Bus
    is_closed: bool

    async def read(self) -> tuple[LoggedSession, SessionLog]:
        """The session as the chapter describes it, and its closes. Raises BadSession."""
        session = LoggedSession(self.standing.chapter)
        begins = self.standing if self.standing.number > FIRST else None
        return session, await read_session(self.log, session, begins)


async def chapter_windows(
    bus: Bus, run: str, portfolio: str, archive: Archive | None = None, after: int = 0
) -> AsyncIterator[ChapterWindow]:
    """The chapters of a log one by one, from the first on; the last one is open.

    archive : what was purged of it. after : chapters up to this number are passed over, as they
    are proven. Raises BadArchive, BadSession, OtherChapter.
    """
    opened = await opened_chapters(bus, run, portfolio)
    if archive is not None:
        _refuse_longer(archive, len(opened))
    longest, kept = histories(opened), dict[str, list[Stored]]()
    first = 1 if archive is None else _first_needed(archive, opened, after, longest)
    async for part, source in _with_what_follows(_parts(bus, opened, archive, first), bus):
        chapter, following = opened[part.number - 1], opened[part.number]
        lanes = _by_lane(kept, part.messages)
        if part.number > after:
            _refuse_other(lanes, chapter)
            positions = await _later_positions(source, part, chapter)
            yield ChapterWindow(chapter, ArchivedLog(_all(_by_lane(lanes, positions))), True)
        kept = _going_on(lanes, following, longest)
    if opened:
        yield ChapterWindow(opened[-1], ArchivedLog(_all(kept), bus), False)


def _refuse_longer(archive: Archive, opened: int) -> None:
    """An archive's chapters are closed in the log that it is of. Raises BadArchive."""
    listed = archive.listed()
    if listed is not None and len(listed.chapters) >= opened:
        raise BadArchive(
            f"{archive.folder}: it has {len(listed.chapters)} closed chapters, and in the log "
            f"{opened} have opened: the log has lost what came after"
        )


def _first_needed(
    archive: Archive, opened: Sequence[Standing], after: int, longest: Mapping[str, int]
) -> int:
    """The number of the part to begin with, so that the chapter after `after` has its history."""
    found: tuple[Stored, ...] = ()
    for number in range(after, 0, -1):
        found = (*archive.part(number).messages, *found)
        if _has_history(_by_lane({}, found), opened[after], longest):
            return number
    return FIRST


def _has_history(lanes: Lanes, following: Standing, longest: Mapping[str, int]) -> bool:
    """Whether these are bars enough for a chapter, and tell the number of the last positions."""
    positions = lanes.get(positions_lane(following.portfolio), ())
    return any(one.message.kind is Kind.CONTENT for one in positions) and all(
        len(_before(lanes.get(lane, ()), following, lane)) >= longest[lane]
        for lane in _bars_of(following)
    )


async def _parts(
    bus: Bus, opened: Sequence[Standing], archive: Archive | None, first: int
) -> AsyncIterator[ChapterPart]:
    """The closed chapters from a number on, those of an archive first."""
    read, archived = dict[str, int](), 0
    if archive is not None:
        for part in archive.parts(first):
            yield part
            read, archived = part.read, part.number
    for chapter, following in pairwise(opened[archived:]):
        part = await chapter_part(bus, chapter, following, read)
        yield part
        read = part.read


async def _with_what_follows(
    parts: AsyncIterator[ChapterPart], bus: Bus
) -> AsyncIterator[tuple[ChapterPart, Bus]]:
    """Each part, and where the messages after it are: in the part that follows, or in the log."""
    before: ChapterPart | None = None
    async for part in parts:
        if before is not None:
            yield before, ArchivedLog(part.messages)
        before = part
    if before is not None:
        yield before, bus


async def _later_positions(source: Bus, part: ChapterPart, chapter: Standing) -> list[Stored]:
    """What the ledger published of a chapter's closes after its part was taken."""
    lane = positions_lane(chapter.portfolio)
    until = await positions_place(source, lane, part.read[lane], part.until)
    return await between(source, lane, part.read[lane], until)


def _refuse_other(lanes: Lanes, chapter: Standing) -> None:
    """A part is of the chapter that the log knows. Raises BadArchive."""
    lane = chapters_lane_of(chapter.chapter.run, chapter.chapter.portfolio)
    if not any(one.message.id == chapter.id for one in lanes.get(lane, ())):
        raise BadArchive(f"{lane}: the archive has another chapter {chapter.number} than the log")


def _going_on(
    lanes: Lanes, following: Standing, longest: Mapping[str, int]
) -> dict[str, list[Stored]]:
    """What the next chapter goes on from: of its bars as many as any model looks back, of every
    other lane the last message of each kind, which tell its epoch, its owner and the opening.
    """
    bars = _bars_of(following)
    return {
        lane: _history(messages, _before(messages, following, lane), longest[lane])
        if lane in bars
        else _newest_of_each_kind(messages)
        for lane, messages in lanes.items()
    }


def _bars_of(chapter: Standing) -> set[str]:
    """The lanes of bars that a chapter reads."""
    portfolio = chapter.portfolio
    return {bars_lane(portfolio, universe) for universe in portfolio.universes}


def _before(messages: Sequence[Stored], following: Standing, lane: str) -> list[int]:
    """The bars before a chapter, or before the newest signals of a model that it knows, whose
    memory since is computed from the bars; by their sequence.
    """
    epochs, until = EpochFilter(), computed_from(following, lane)
    used = carried_sequence(following.carried, lane)
    return [
        one.sequence
        for one in messages
        if epochs.admits(one.message)
        and one.sequence <= used
        and decode_closed_bars(one.message.payload).close_time <= until
    ]


def _history(messages: Sequence[Stored], before: Sequence[int], count: int) -> list[Stored]:
    """From so many closes before a chapter on."""
    first = before[-count] if len(before) > count else 0
    older = [one for one in messages if one.sequence < first]
    owners = [one for one in older if one.message.kind is Kind.OWNER]
    return [*owners[-1:], *messages[len(older) :]]


def _newest_of_each_kind(messages: Sequence[Stored]) -> list[Stored]:
    newest = {one.message.kind: one for one in messages}
    return sorted(newest.values(), key=lambda one: one.sequence)


def _by_lane(lanes: Lanes, messages: Iterable[Stored]) -> dict[str, list[Stored]]:
    """Lanes with more messages at their ends."""
    longer = {lane: list(stored) for lane, stored in lanes.items()}
    for one in messages:
        longer.setdefault(one.message.subject, []).append(one)
    return longer


def _all(lanes: Lanes) -> list[Stored]:
    return [one for messages in lanes.values() for one in messages]
