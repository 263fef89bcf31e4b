"""logged_bars: the bars of a log, and the closes that they tell.

Each message says when its universe closes next, and the next message must be of that close. So the
messages of a universe give its closes, and one more that is promised:

    warm-up ─▶ start ─▶ … ─▶ newest ─▶ promised, without bars yet
"""

from collections.abc import Iterable

import numpy as np

from stratvector.contracts.codecs import BadMessage, decode_closed_bars
from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.epochs import EpochFilter, contents
from stratvector.runtime.ports import Bus, Stored
from stratvector.runtime.unfit_messages import OtherSymbols, UnfitMessage
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import bars_lane
from stratvector.trading.logged import Halt, Logged
from stratvector.trading.meaning.bars import check_bars_of
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.schedule import Schedule
from stratvector.trading.timestamps import Nanoseconds
from stratvector.trading.unfit import UnfitNoun

FOR_EVER = 2**63 - 1


class EndlessBars(UnfitMessage):
    """Bars that promise a close after the last one that their chapter knows."""

    def __init__(self, lane: str, close_time: int, told: int) -> None:
        super().__init__(
            f"{lane} says at the session's last close, {close_time}, that the next one is {told}"
        )
        self.lane, self.close_time, self.told = lane, close_time, told


class UniverseBars:
    """The bars of one universe, from the first message to the newest or to where readers halt.

    start : the first close that may trade, ns UTC. closes : how many bars the chapter says that
    there are, 0 = without end.
    warmup, at : what is before the start, and by close what is not. halt : None if all was read.
    """

    def __init__(self, lane: str, universe: Universe, start: int, closes: int) -> None:
        self.lane, self.universe = lane, universe
        self.warmup: list[Logged[ClosedBars]] = []
        self.at: dict[int, Logged[ClosedBars]] = {}
        self.halt: Halt | None = None
        self._start, self._closes = start, closes
        self._newest: ClosedBars | None = None

    async def read(self, bus: Bus) -> None:
        """Everything that is stored now."""
        for stored in await contents(bus, self.lane):
            try:
                section = decode_closed_bars(stored.message.payload)
                self._check(section)
            except (BadMessage, UnfitMessage, UnfitNoun) as error:
                identity = stored.message.id
                self.halt = Halt("bars", self.lane, self._asked, identity, str(error))
                return
            self._take(stored, section)

    @property
    def closes(self) -> Nanoseconds:
        """The closes from the start on, ns UTC, the promised one included."""
        promised = self._newest.next_close if self._newest else 0
        coming = [promised] if promised and promised >= self._start else []
        return np.array([*self.at, *coming], np.int64)

    @property
    def ended(self) -> bool:
        """Whether the universe never closes again."""
        return self._newest is not None and not self._newest.next_close

    @property
    def certain_until(self) -> int:
        """The time (ns UTC) up to which `closes` are all that there are. After bars that readers
        halt at nothing is certain: either they or those before them lie.
        """
        if self._newest is None:
            return 0
        if self.halt is not None:
            return self._newest.close_time
        return self._newest.next_close or FOR_EVER

    @property
    def _asked(self) -> int:
        """The close that must come next, as far as anything tells it."""
        if self._newest is None:
            return self._start
        return self._newest.next_close or self._newest.close_time

    def _check(self, section: ClosedBars) -> None:
        """Raises UnfitMessage or Absurd."""
        newest, count = self._newest, len(self.warmup) + len(self.at) + 1
        before, promised = (newest.close_time, newest.next_close) if newest else (0, None)
        check_bars_of(section, self.universe, before, promised)
        if section.symbols != self.universe.symbols:
            raise OtherSymbols(self.lane, self.universe.symbols, section.symbols)
        if section.next_close and count == self._closes:
            raise EndlessBars(self.lane, section.close_time, section.next_close)

    def _take(self, stored: Stored, section: ClosedBars) -> None:
        logged = Logged(section, stored.message.id, stored.sequence)
        if section.close_time < self._start:
            self.warmup.append(logged)
        else:
            self.at[section.close_time] = logged
        self._newest = section


async def read_bars(bus: Bus, session: SessionParts) -> dict[str, UniverseBars]:
    """The bars of each of a session's universes, as they are stored now."""
    portfolio, chapter, read = session.portfolio, first_chapter(session), dict[str, UniverseBars]()
    for universe in portfolio.universes:
        closes = chapter.bars_of(universe.name).closes
        lane = bars_lane(portfolio, universe)
        read[universe.name] = UniverseBars(lane, universe, session.start, closes)
        await read[universe.name].read(bus)
    return read


def certain(schedule: Schedule, start: int, universes: Iterable[UniverseBars]) -> Schedule:
    """The closes of a schedule before which no universe can have another one."""
    return schedule.between(start, min(one.certain_until for one in universes))


async def bars_before(
    bus: Bus, portfolio: Portfolio, universe: Universe, carried: Carried, count: int, until: int
) -> tuple[list[ClosedBars], list[ClosedBars]]:
    """Bars of a universe that a chapter's beginning has used: the last `count` of those up to a
    close (ns UTC), fewer if there were no more, and all after it. Nobody keeps a list of them: the
    span to read is guessed, and widened.
    """
    lane = bars_lane(portfolio, universe)
    newest, span = carried.sequences[lane], count * len(portfolio.universes)
    while True:
        after = max(0, newest - span)
        found = await _bars_between(bus, lane, after, newest)
        before = sum(section.close_time <= until for section in found)
        if before >= count or not after:
            return found[max(0, before - count) : before], found[before:]
        span *= 2


async def _bars_between(bus: Bus, lane: str, after: int, newest: int) -> list[ClosedBars]:
    epochs, found = EpochFilter(), list[ClosedBars]()
    while after < newest:
        page = await bus.read(lane, after)
        for stored in page:
            if stored.sequence <= newest and epochs.admits(stored.message):
                found.append(decode_closed_bars(stored.message.payload))
        after = page[-1].sequence if page else newest
    return found
