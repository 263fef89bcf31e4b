"""logged_bars: the bars of a log, and the closes that they tell.

Each message says when its universe closes next, and the next message must be of that close. So the
messages of a universe give its closes, and one more that is promised:

    warm-up ─▶ start ─▶ … ─▶ newest ─▶ promised, without bars yet
"""

from collections.abc import Iterable, Sequence

import numpy as np

from stratvector.contracts.codecs import BadMessage, decode_closed_bars
from stratvector.runtime.bars_places import place_after
from stratvector.runtime.chapters import Standing, first_chapter
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.epochs import EpochFilter, contents
from stratvector.runtime.ports import Bus, Ports, Stored
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
from stratvector.trading.versions import begins_anew

FOR_EVER = 2**63 - 1
REST_SECONDS = 0.05


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
    warmup, at : what is before the start, and by close what is not. before : by the close that a
    later version begins after, its bars up to there. halt : None if all was read. used : the
    message up to which bars are warm-up as well, as they were used before what is read.
    """

    def __init__(
        self, lane: str, universe: Universe, start: int, closes: int, used: int = 0
    ) -> None:
        self._used = used
        self.lane, self.universe = lane, universe
        self.warmup: list[Logged[ClosedBars]] = []
        self.at: dict[int, Logged[ClosedBars]] = {}
        self.before: dict[int, list[Logged[ClosedBars]]] = {}
        self.halt: Halt | None = None
        self._start, self._closes = start, closes
        self._newest: ClosedBars | None = None
        self._begins_after: int | None = None
        self._count = 0

    async def read(self, bus: Bus) -> None:
        """Everything that is stored now."""
        newest, promised = 0, None
        for stored in await contents(bus, self.lane):
            try:
                section = decode_closed_bars(stored.message.payload)
                self._check(section, newest, promised)
            except (BadMessage, UnfitMessage, UnfitNoun) as error:
                identity = stored.message.id
                self.halt = Halt("bars", self.lane, self._asked, identity, str(error))
                return
            newest, promised = section.close_time, section.next_close
            self._take(stored, section)

    async def go_on(
        self, bus: Bus, lane: str, universe: Universe, close_time: int, closes: int
    ) -> None:
        """Read the version that a chapter begins with after a close (ns UTC), in place of what is
        later in the lane before it.
        """
        if self.halt is not None and self._newest and self._newest.close_time < close_time:
            return
        self.lane, self.universe, self.halt = lane, universe, None
        self.at = {time: logged for time, logged in self.at.items() if time <= close_time}
        used = [*self.warmup, *self.at.values()]
        self._newest = used[-1].noun if used else None
        self._closes, self._begins_after, self._count = closes, close_time, 0
        self.before[close_time] = []
        await self.read(bus)

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

    def _check(self, section: ClosedBars, newest: int, promised: int | None) -> None:
        """newest, promised : of the lane so far. Raises UnfitMessage or Absurd."""
        check_bars_of(section, self.universe, newest, promised)
        if self._begins_after is not None and section.close_time > self._begins_after:
            asked = self._newest.next_close if self._newest else None
            check_bars_of(section, self.universe, self._begins_after, asked)
        if section.symbols != self.universe.symbols:
            raise OtherSymbols(self.lane, self.universe.symbols, section.symbols)
        if section.next_close and self._count + 1 == self._closes:
            raise EndlessBars(self.lane, section.close_time, section.next_close)

    def _take(self, stored: Stored, section: ClosedBars) -> None:
        logged = Logged(section, stored.message.id, stored.sequence)
        self._count += 1
        if self._begins_after is not None and section.close_time <= self._begins_after:
            self.before[self._begins_after].append(logged)
            return
        if section.close_time < self._start or stored.sequence <= self._used:
            self.warmup.append(logged)
        else:
            self.at[section.close_time] = logged
        self._newest = section


async def read_bars(
    bus: Bus,
    session: SessionParts,
    chapters: Sequence[Standing] = (),
    begins: Standing | None = None,
) -> dict[str, UniverseBars]:
    """The bars of each of a session's universes, as they are stored now. chapters : those that have
    opened, which may begin other versions. begins : the chapter that is read first, None for the
    first of all.
    """
    portfolio = session.portfolio if begins is None else begins.portfolio
    carried = None if begins is None else begins.carried
    chapter, read = first_chapter(session), dict[str, UniverseBars]()
    for universe in portfolio.universes:
        closes = chapter.bars_of(universe.name).closes
        lane = bars_lane(portfolio, universe)
        used = 0 if carried is None else carried.sequences.get(lane, 0)
        bars = read[universe.name] = UniverseBars(lane, universe, session.start, closes, used)
        if carried is not None and begins_anew(portfolio, universe, carried):
            await bars.go_on(bus, lane, universe, carried.close_time, closes)
            bars.warmup = bars.before[carried.close_time]
        else:
            await bars.read(bus)
    for standing in chapters:
        portfolio, carried = standing.portfolio, standing.carried
        for universe in portfolio.universes:
            bars, lane = read[universe.name], bars_lane(portfolio, universe)
            if carried is not None and lane != bars.lane:
                closes = standing.chapter.bars_of(universe.name).closes
                await bars.go_on(bus, lane, universe, carried.close_time, closes)
    return read


def certain(schedule: Schedule, start: int, universes: Iterable[UniverseBars]) -> Schedule:
    """The closes of a schedule before which no universe can have another one."""
    return schedule.between(start, min(one.certain_until for one in universes))


async def bars_before(
    bus: Bus, portfolio: Portfolio, universe: Universe, newest: int, count: int, until: int
) -> tuple[list[ClosedBars], list[ClosedBars]]:
    """Bars of a universe up to a message of them: the last `count` of those up to a close (ns UTC),
    fewer if there were no more, and all after it. Nobody keeps a list of them: the span to read is
    guessed, and widened.
    """
    lane, span = bars_lane(portfolio, universe), count * len(portfolio.universes)
    while True:
        after = max(0, newest - span)
        found = await _bars_between(bus, lane, after, newest)
        before = sum(section.close_time <= until for section in found)
        if before >= count or not after:
            return found[max(0, before - count) : before], found[before:]
        span *= 2


async def newest_before(
    ports: Ports, portfolio: Portfolio, universe: Universe, carried: Carried
) -> int:
    """The last message of a universe's bars up to a chapter's beginning; those of a version that
    begins with the chapter are waited for. 0 where there is none.
    """
    lane = bars_lane(portfolio, universe)
    if not begins_anew(portfolio, universe, carried):
        return carried.sequences.get(lane, 0)
    while (place := await place_after(ports.bus, lane, carried.close_time)) is None:
        await ports.clock.sleep(REST_SECONDS)
    return place


async def _bars_between(bus: Bus, lane: str, after: int, newest: int) -> list[ClosedBars]:
    epochs, found = EpochFilter(), list[ClosedBars]()
    while after < newest:
        page = await bus.read(lane, after)
        for stored in page:
            if stored.sequence <= newest and epochs.admits(stored.message):
                found.append(decode_closed_bars(stored.message.payload))
        after = page[-1].sequence if page else newest
    return found
