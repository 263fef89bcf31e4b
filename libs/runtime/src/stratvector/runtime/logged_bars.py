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
from stratvector.trading.versions import begins_anew

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
    there are, 0 = without end. A universe may come with a later chapter, go with another one, and
    come back: what is between is not read.
    warmup, at : what is before the start, and by close what is not. before : by the close that a
    later version begins after, its bars up to there. halt : None if all was read. lives : the
    closes that the portfolio has the universe after, and up to which it does. used : the message up
    to which bars are warm-up as well, as they were used before what is read. begun : the warm-up of
    a version that begins where the log is read from, None where none does.
    """

    def __init__(
        self,
        lane: str,
        universe: Universe,
        start: int,
        closes: int,
        lives: Sequence[tuple[int, int]] = ((0, FOR_EVER),),
        used: int = 0,
    ) -> None:
        self._used = used
        self.begun: list[Logged[ClosedBars]] | None = None
        self.lane, self.universe = lane, universe
        self.warmup: list[Logged[ClosedBars]] = []
        self.at: dict[int, Logged[ClosedBars]] = {}
        self.before: dict[int, list[Logged[ClosedBars]]] = {}
        self.halt: Halt | None = None
        self._lives = list(lives)
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
        if self._cut(close_time):
            await self._read_version(bus, lane, universe, close_time, closes)

    async def come(
        self, bus: Bus, lane: str, universe: Universe, close_time: int, closes: int
    ) -> None:
        """Read the version with which the universe comes, or comes back, after a close (ns UTC). It
        has promised nothing; of one that came and was not used yet, what was read is read anew.
        """
        came = self._lives[-1][0] if self.is_there else close_time
        if not self._cut(came):
            return
        if self.is_there:
            # The closes since it came were closes without it.
            self._lives[-1] = (came, close_time)
        self._lives.append((close_time, FOR_EVER))
        self._newest = None
        await self._read_version(bus, lane, universe, close_time, closes)

    def leave(self, close_time: int) -> None:
        """The portfolio goes on without the universe after a close (ns UTC)."""
        if self.is_there and self._cut(close_time):
            self._lives[-1] = (self._lives[-1][0], close_time)

    @property
    def is_there(self) -> bool:
        """Whether the portfolio has the universe in the newest chapter."""
        return bool(self._lives) and self._lives[-1][1] == FOR_EVER

    def life_at(self, close_time: int) -> int | None:
        """After which close the universe came that the portfolio has at a close, both ns UTC; 0 for
        one that was there from the first one on, None where it is not there.
        """
        lives = (after for after, until in self._lives if after < close_time <= until)
        return next(lives, None)

    async def _read_version(
        self, bus: Bus, lane: str, universe: Universe, close_time: int, closes: int
    ) -> None:
        self.lane, self.universe = lane, universe
        self._closes, self._begins_after, self._count = closes, close_time, 0
        self.before[close_time] = []
        await self.read(bus)

    def _cut(self, close_time: int) -> bool:
        """Forget what was read after a close (ns UTC); False where readers halt before it."""
        if self.halt is not None and self._newest and self._newest.close_time < close_time:
            return False
        self.halt = None
        self.at = {time: logged for time, logged in self.at.items() if time <= close_time}
        used = [*self.warmup, *self.at.values()]
        self._newest = used[-1].noun if used else None
        return True

    def first_after(self, close_time: int) -> int:
        """The universe's first close after another one, ns UTC, 0 where nothing tells of one."""
        return next((time for time in self.closes.tolist() if time > close_time), 0)

    @property
    def closes(self) -> Nanoseconds:
        """The closes from the start on, ns UTC, the promised one included."""
        if not self.is_there:
            return np.array([*self.at], np.int64)
        promised = self._newest.next_close if self._newest else 0
        coming = [promised] if promised and promised >= self._start else []
        return np.array([*self.at, *coming], np.int64)

    @property
    def ended(self) -> bool:
        """Whether the universe never closes again, as far as the portfolio is concerned."""
        if not self.is_there:
            return True
        return self._newest is not None and not self._newest.next_close

    @property
    def certain_until(self) -> int:
        """The time (ns UTC) up to which `closes` are all that there are. After bars that readers
        halt at nothing is certain: either they or those before them lie.
        """
        if not self.is_there:
            return FOR_EVER
        if self._newest is None:
            return self._begins_after or 0
        if self.halt is not None:
            return self._newest.close_time
        return self._newest.next_close or FOR_EVER

    @property
    def _asked(self) -> int:
        """The close that must come next, as far as anything tells it."""
        if self._newest is None:
            return max(self._start, (self._begins_after or 0) + 1)
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
        closes, lane = chapter.bars_of(universe.name).closes, bars_lane(portfolio, universe)
        if carried is None:
            bars = UniverseBars(lane, universe, session.start, closes)
            await bars.read(bus)
        else:
            bars = await _read_from(bus, portfolio, universe, session.start, closes, carried)
        read[universe.name] = bars
    for standing in chapters:
        if standing.carried is not None:
            await _read_on(bus, read, session.start, standing, standing.carried)
    return read


async def _read_from(
    bus: Bus, portfolio: Portfolio, universe: Universe, start: int, closes: int, carried: Carried
) -> UniverseBars:
    """The bars of a universe in a log that is read from a chapter on."""
    lane, close_time = bars_lane(portfolio, universe), carried.close_time
    lives = () if _is_unused(portfolio, universe, carried) else ((0, FOR_EVER),)
    used = carried.sequences.get(lane, 0)
    bars = UniverseBars(lane, universe, start, closes, lives, used)
    if not begins_anew(portfolio, universe, carried):
        await bars.read(bus)
        return bars
    begin = bars.go_on if bars.is_there else bars.come
    await begin(bus, lane, universe, close_time, closes)
    bars.begun = bars.before[close_time]
    return bars


async def _read_on(
    bus: Bus, read: dict[str, UniverseBars], start: int, standing: Standing, carried: Carried
) -> None:
    """Into a chapter, whose universes may be others, or others' versions."""
    portfolio, close_time = standing.portfolio, carried.close_time
    names = {universe.name for universe in portfolio.universes}
    for name, bars in read.items():
        if name not in names:
            bars.leave(close_time)
    for universe in portfolio.universes:
        lane = bars_lane(portfolio, universe)
        closes = standing.chapter.bars_of(universe.name).closes
        new = UniverseBars(lane, universe, start, closes, ())
        bars = read.setdefault(universe.name, new)
        if not bars.is_there or _is_unused(portfolio, universe, carried):
            await bars.come(bus, lane, universe, close_time, closes)
        elif lane != bars.lane:
            await bars.go_on(bus, lane, universe, close_time, closes)


def _is_unused(portfolio: Portfolio, universe: Universe, carried: Carried) -> bool:
    """Whether a universe has come with a chapter before and nothing of it was used."""
    return universe.name not in carried.next_closes and begins_anew(portfolio, universe, carried)


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
    bus: Bus, portfolio: Portfolio, universe: Universe, carried: Carried
) -> int | None:
    """The last message of a universe's bars up to a chapter's beginning, 0 where there is none;
    None where those of a version that begins with the chapter are still to come.
    """
    lane = bars_lane(portfolio, universe)
    if not begins_anew(portfolio, universe, carried):
        return carried.sequences.get(lane, 0)
    return await place_after(bus, lane, carried.bars_until(universe.name))


async def _bars_between(bus: Bus, lane: str, after: int, newest: int) -> list[ClosedBars]:
    epochs, found = EpochFilter(), list[ClosedBars]()
    while after < newest:
        page = await bus.read(lane, after)
        for stored in page:
            if stored.sequence <= newest and epochs.admits(stored.message):
                found.append(decode_closed_bars(stored.message.payload))
        after = page[-1].sequence if page else newest
    return found
