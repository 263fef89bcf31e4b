"""logged_engines: whose engine computed what a log holds, as the marks of its owners say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from stratvector.contracts.codecs import BadMessage, decode_owner
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import Standing, chapter_of, first_chapter
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.epochs import contents
from stratvector.runtime.ports import Bus, Stored
from stratvector.runtime.unfit_messages import ForeignDecision, MisplacedOpening
from stratvector.trading.chapters import FIRST
from stratvector.trading.lanes import chapters_lane_of
from stratvector.trading.logged import LoggedChapter, OtherEngine


class LoggedEngines:
    """Of one session, chapter by chapter. first : the engine of the chapter that is read first.
    number : its own.

    Of an owner whose mark is purged, or says nothing, the engine is not known.
    """

    def __init__(self, first: str, number: int = FIRST) -> None:
        self._chapters = {number: first}
        self._owners: dict[tuple[str, int], str] = {}
        self._others: Counter[tuple[int, str, str]] = Counter()

    def of(self, chapter: int) -> str:
        """The engine that a chapter names."""
        return self._chapters[chapter]

    def opened(self, chapter: LoggedChapter, lane: str, ends_chapter: bool) -> None:
        """One more chapter. A decision ends the one before, unless another engine goes on.

        lane : that says so. ends_chapter : whether the decision does. Raises MisplacedOpening.
        """
        number, engine = chapter.noun.number, chapter.noun.engine_hash
        if not ends_chapter and engine == self.of(number - 1):
            raise MisplacedOpening(
                f"{lane} opens chapter {number}, though the one before has not ended and its "
                "engine is the same"
            )
        self._chapters[number] = engine

    async def contents(self, bus: Bus, lane: str, after: int = 0) -> list[Stored]:
        """What counts in a lane of what is computed, above a sequence; its owners are known
        then.
        """
        marks = list[Stored]()
        found = await contents(bus, lane, marks, after)
        self._mark(marks)
        return found

    def _mark(self, marks: Sequence[Stored]) -> None:
        """The owners of a lane."""
        for stored in marks:
            message = stored.message
            try:
                owner = decode_owner(message.payload)
            except BadMessage:
                continue  # an owner that says nothing of itself
            self._owners[message.subject, message.epoch] = owner.engine_hash

    def check_decision(self, stored: Stored, chapter: int) -> None:
        """Raises ForeignDecision."""
        found = self._found(stored, chapter)
        if found:
            raise ForeignDecision(stored.message.subject, chapter, self.of(chapter), found)

    def note(self, noun: str, stored: Stored, chapter: int) -> None:
        """What was published for a close of a chapter."""
        if found := self._found(stored, chapter):
            self._others[chapter, noun, found] += 1

    def others(self) -> tuple[OtherEngine, ...]:
        """What was computed by another engine than its chapter's."""
        counted: Mapping[tuple[int, str, str], int] = self._others
        return tuple(OtherEngine(*what, count) for what, count in sorted(counted.items()))

    def _found(self, stored: Stored, chapter: int) -> str:
        """The engine of a message's owner, empty where it is the chapter's or not known."""
        engine = self._owners.get((stored.message.subject, stored.message.epoch), "")
        return "" if engine == self.of(chapter) else engine


async def logged_engines(
    bus: Bus, session: SessionParts, begins: Standing | None = None
) -> LoggedEngines:
    """With the engine of the chapter that is read first; of the first of all the session's own
    where that can't be read.
    """
    if begins is not None:
        return LoggedEngines(begins.chapter.engine_hash, begins.number)
    of = session.portfolio
    for stored in await bus.read(chapters_lane_of(of.run, of.name), 0, 1):
        with suppress(BadMessage, OtherChapter):
            return LoggedEngines(chapter_of(stored).engine_hash)
    return LoggedEngines(first_chapter(session).engine_hash)
