"""archived_log: an archive read as the log that it was, and what the log still has after it."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from stratvector.contracts.codecs import decode_closed_bars, decode_positions
from stratvector.runtime.archive import Archive, ArchiveList, BadArchive, ChapterPart
from stratvector.runtime.chapters import Standing, is_readable, opened_chapters
from stratvector.runtime.ports import Arrivals, Bus, Kind, Message, Published, Stored
from stratvector.runtime.readers import carried_sequence, opening_in
from stratvector.trading.flow import subject as subject_of
from stratvector.trading.lanes import bars_lane, orders_lane

PAGE = 256


class ArchivedLog:
    """Speaks `ports.Bus` to those that only read. after : the log of which it is a part; None is
    the archive alone.
    """

    def __init__(self, messages: Iterable[Stored], after: Bus | None = None) -> None:
        self._after, self._lanes = after, dict[str, list[Stored]]()
        for stored in messages:
            self._lanes.setdefault(stored.message.subject, []).append(stored)

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """Raises PermissionError."""
        self._refuse()

    async def last(self, subject: str) -> Stored | None:
        """The newest message of a subject."""
        newest = None if self._after is None else await self._after.last(subject)
        archived = self._lanes.get(subject)
        return newest or (archived[-1] if archived else None)

    async def read(self, subject: str, after: int, limit: int = PAGE) -> Sequence[Stored]:
        """Up to `limit` messages of a subject, or of all below one, above a sequence."""
        lane = self._archived(subject)
        first = bisect_right(lane, after, key=_sequence)
        found = lane[first : first + limit]
        if self._after is None or len(found) == limit:
            return found
        if not subject.endswith(">"):
            place = found[-1].sequence if found else after
            place = max(place, lane[-1].sequence if lane else 0)
            return [*found, *await self._after.read(subject, place, limit - len(found))]
        there = {one.sequence: one for one in await self._after.read(subject, after, limit)}
        whole = there | {one.sequence: one for one in found}
        return [whole[sequence] for sequence in sorted(whole)][:limit]

    async def arrivals(self, subject: str) -> Arrivals:
        """Raises PermissionError."""
        self._refuse()

    def _archived(self, subject: str) -> list[Stored]:
        if not subject.endswith(">"):
            return self._lanes.get(subject, [])
        lanes = (one for name, one in self._lanes.items() if name.startswith(subject[:-1]))
        return sorted((s for lane in lanes for s in lane), key=_sequence)

    def _refuse(self) -> NoReturn:
        raise PermissionError("an archive is only read")


def _sequence(stored: Stored) -> int:
    return stored.sequence


async def archive_chapters(
    bus: Bus, archive: Archive, run: str, portfolio: str
) -> tuple[ArchiveList, list[int]]:
    """Write the file of each closed chapter that the archive lacks; what there is then, and the
    numbers of those that were written. Raises BadArchive, OtherChapter, OSError.
    """
    opened, written = await opened_chapters(bus, run, portfolio), list[int]()
    if not opened:
        raise BadArchive(f"{run}.{portfolio}: its log has no chapter")
    listed = archive.opened(run, portfolio, opened[0].id)
    for chapter, following in pairwise(opened):
        if chapter.number <= len(listed.chapters):
            continue
        before = listed.chapters[-1].read if listed.chapters else {}
        listed = archive.add(listed, await chapter_part(bus, chapter, following, before))
        written.append(chapter.number)
    return listed, written


async def chapter_part(
    bus: Bus, chapter: Standing, following: Standing, before: Mapping[str, int]
) -> ChapterPart:
    """A closed chapter's part of the log, up to the opening of the next one. before : where the
    part before it ends. Raises BadArchive where it is purged.
    """
    carried, run, name = following.carried, chapter.chapter.run, chapter.chapter.portfolio
    assert carried is not None  # only the first chapter has none
    lane = subject_of("positions", run=run, portfolio=name)
    places = {
        subject_of("chapters", run=run, portfolio=name): following.sequence,
        **await _unused_bars(bus, following, before),
        **carried.sequences,
        orders_lane(following.portfolio): await _opening_place(bus, following),
        lane: await positions_place(bus, lane, before.get(lane, 0), carried.close_time),
    }
    messages = list[Stored]()
    for subject, used in places.items():
        after = before.get(subject, 0)
        until = places[subject] = max(used, after)
        if not await is_readable(bus, subject, after):
            raise _purged(chapter.number, subject, after)
        messages += await between(bus, subject, after, until)
    return ChapterPart(chapter.number, carried.close_time, places, tuple(messages))


async def _opening_place(bus: Bus, following: Standing) -> int:
    """The message that opens a chapter. Raises BadArchive."""
    lane = orders_lane(following.portfolio)
    position = carried_sequence(following.carried, lane)
    while page := await bus.read(lane, position, PAGE):
        for stored in page:
            is_opening = stored.message.kind is Kind.OPENED
            if is_opening and opening_in(stored).chapter_id == following.id:
                return stored.sequence
        position = page[-1].sequence
    raise _purged(following.number - 1, lane, carried_sequence(following.carried, lane))


def _purged(number: int, subject: str, after: int) -> BadArchive:
    return BadArchive(
        f"chapter {number} is not in the archive, and the log has no more what {subject} said "
        f"after message {after}; go on in the folder that has it"
    )


async def _unused_bars(bus: Bus, following: Standing, before: Mapping[str, int]) -> dict[str, int]:
    """Of lanes of bars of which no close was used yet: all that is not later than the chapter's
    end, and one more, as a log tells no close of a universe that it has no bars of.
    """
    portfolio, carried, places = following.portfolio, following.carried, dict[str, int]()
    assert carried is not None
    for universe in portfolio.universes:
        lane = bars_lane(portfolio, universe)
        if lane in carried.sequences:
            continue
        places[lane] = await _past(bus, lane, before.get(lane, 0), carried.close_time)
    return places


async def _past(bus: Bus, lane: str, after: int, close_time: int) -> int:
    """The first message of the bars that is later than a close, or the last that there is; what
    was taken before stays taken.
    """
    place = max(0, after - 1)
    while page := await bus.read(lane, place, PAGE):
        for stored in page:
            place = stored.sequence
            if stored.message.kind is Kind.CONTENT and _close_of(stored) > close_time:
                return place
    return max(place, after)


def _close_of(stored: Stored) -> int:
    return decode_closed_bars(stored.message.payload).close_time


async def between(bus: Bus, subject: str, after: int, until: int) -> list[Stored]:
    """Messages of a subject above one sequence, up to another one."""
    found = list[Stored]()
    while after < until and (page := await bus.read(subject, after, PAGE)):
        found += [one for one in page if one.sequence <= until]
        after = page[-1].sequence
    return found


async def positions_place(bus: Bus, lane: str, after: int, close_time: int) -> int:
    """The last message of the positions that is not about a later close."""
    place = after
    while page := await bus.read(lane, after, PAGE):
        for stored in page:
            is_content = stored.message.kind is Kind.CONTENT
            if is_content and decode_positions(stored.message.payload).close_time > close_time:
                return place
            place = stored.sequence
        after = place
    return place
