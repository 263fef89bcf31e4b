"""bars_gate: which bars a close has in a run with deadlines. It is judged here, once; the report
that closes the close is the record that everybody else follows.

    due, and its bars are there           the universe closes
    due, silent while another has bars    after its time it is absent: the close goes on without it
    absent, and its next bars are here    later than the newest close they are due, else they are
                                          late: the next close takes them up

A universe that is silent while no other one has bars holds up nobody, so nothing is judged. The
time is counted on the monotonic clock, from when this owner saw that others are held up and had
read the silent lane to its end; nobody's wall clock is asked.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from stratvector.runtime.bars_reader import BarsReader, UniverseReader
from stratvector.runtime.chapter_changes import as_first
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Clock
from stratvector.runtime.readers import Received
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import Chapter
from stratvector.trading.ticks import TickBars

LOOK_SECONDS = 0.5  # between two looks at universes that nobody waits for
NONE_YET = -1  # no close before the first


def silence_seconds(chapter: Chapter, deadlines: float) -> dict[str, float]:
    """How long each universe of a chapter may be silent: so many of market_data's deadlines, which
    are seconds of the run, in seconds of the machine.
    """
    session = LoggedSession(as_first(chapter))
    rate = 1.0 if session.time_map is None else session.time_map.rate
    return {
        universe.name: deadlines * session.deadline_seconds(universe.name) / rate
        for universe in session.portfolio.universes
    }


@dataclass
class _Silence:
    """A universe that is waited for. began : when others were seen to be held up, monotonic
    seconds; None while none is. is_over : it was judged absent.
    """

    began: float | None = None
    is_over: bool = False


@dataclass
class _Look:
    """What the lanes tell now. coming : by universe that is not absent, when it closes next, ns
    UTC; None while nothing tells it. absent : the others that have not ended. here : universes
    whose next bars are at hand.
    """

    coming: dict[str, int | None] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    here: set[str] = field(default_factory=set)

    @property
    def close_time(self) -> int:
        """The next close, as far as it is known."""
        return min((time for time in self.coming.values() if time is not None), default=0)

    @property
    def waited_for(self) -> list[str]:
        """Universes that may close then, and have no bars here."""
        return [
            name
            for name, time in self.coming.items()
            if time in (None, self.close_time) and name not in self.here
        ]


class BarsGate:
    """For the owner of a fills lane, in one chapter. seconds : by universe, how long it may be
    silent. newest : the newest close of the account, ns UTC.
    """

    def __init__(
        self, clock: Clock, bars: BarsReader, seconds: Mapping[str, float], newest: int = NONE_YET
    ) -> None:
        self._clock, self._bars, self._seconds, self.newest = clock, bars, seconds, newest
        self._silences: dict[str, _Silence] = {}
        self._late: list[Received[ClosedBars]] = []
        self._ready: TickBars | None = None
        self._absent: set[str] | None = None  # at the newest close, once anything was looked at

    async def look(self, patience_seconds: float) -> bool:
        """Whether there is a close for `next`, or one comes in time."""
        until = self._clock.monotonic_seconds() + patience_seconds
        while self._ready is None:
            left = until - self._clock.monotonic_seconds()
            if not await self._advance(max(0.0, left)) or left <= 0.0:
                break
        return self._ready is not None

    async def next(self) -> TickBars | None:
        """The bars of the next close; None when there is none."""
        while self._ready is None:
            if not await self._advance(LOOK_SECONDS) and await self._bars.have_ended(self.newest):
                return None
        ready, self._ready = self._ready, None
        self.newest = ready.close_time
        self._late.clear()
        self._silences.clear()
        return ready

    async def _advance(self, patience_seconds: float) -> bool:
        """One look at every lane, and a wait for what is missing; False where nothing is due."""
        if self._absent is None:
            readers = self._bars.readers
            self._absent = {name for name in readers if self._is_absent(name, readers[name])}
        look = await self._look()
        if look.coming and not look.waited_for:
            await self._close(look)
        elif look.coming:
            await self._wait(look, patience_seconds)
        elif look.absent:
            await self._bars.readers[look.absent[0]].peek(patience_seconds)
        return bool(look.coming)

    async def _look(self) -> _Look:
        look = _Look()
        for name, reader in self._bars.readers.items():
            first = await self._first(name, reader)
            if first is not None:
                look.here.add(name)
                look.coming[name] = first.noun.close_time
                self._silences.pop(name, None)
            elif self._is_absent(name, reader):
                look.absent.append(name)
            elif reader.promised != 0:
                look.coming[name] = reader.promised
        return look

    async def _first(self, name: str, reader: UniverseReader) -> Received[ClosedBars] | None:
        """Its next bars, if they are here and later than the newest close; others are late."""
        while (first := await reader.peek(0.0)) is not None and (
            first.noun.close_time <= self.newest
        ):
            self._late.append(await reader.take())
        return first

    def _is_absent(self, name: str, reader: UniverseReader) -> bool:
        """Whether it is not waited for: it was judged so, or closes have gone on without it."""
        if (silence := self._silences.get(name)) is not None and silence.is_over:
            return True
        if reader.promised is None:
            return self.newest != NONE_YET
        return 0 < reader.promised <= self.newest

    async def _close(self, look: _Look) -> None:
        readers, close_time = self._bars.readers, look.close_time
        closing = [name for name, time in look.coming.items() if time == close_time]
        bars = [await readers[name].take() for name in closing]
        places = {name: place for place, name in enumerate(readers)}
        late = sorted(self._late, key=lambda one: places[one.noun.universe])
        self._ready = TickBars(close_time, tuple(bars), tuple(late), tuple(look.absent))
        self._tell(self._ready)

    def _tell(self, ready: TickBars) -> None:
        """One line when a universe becomes absent, one when it is back."""
        log, before = structlog.get_logger("stratvector.execution"), self._absent or set()
        for name, reader in self._bars.readers.items():
            told = {"lane": reader.lane, "close_time": ready.close_time}
            if name in ready.absent and name not in before:
                log.warning("universe absent", **told)
            elif name in before and name not in ready.absent:
                late = sum(one.noun.universe == name for one in ready.late)
                log.info("universe is back", **told, late=late)
        self._absent = set(ready.absent)

    async def _wait(self, look: _Look, patience_seconds: float) -> None:
        """Wait for the first that is missing; meanwhile count, where others are held up."""
        until = math.inf
        for name in look.waited_for if look.here else ():
            until = min(until, await self._judge(name))
        patience = min(patience_seconds, LOOK_SECONDS, until - self._clock.monotonic_seconds())
        first = self._bars.readers[look.waited_for[0]]
        await first.peek(max(0.0, patience))

    async def _judge(self, name: str) -> float:
        """When the universe will be absent, monotonic seconds; in the past where it is, or where
        its bars have come.
        """
        reader, silence = self._bars.readers[name], self._silences.setdefault(name, _Silence())
        if silence.began is None:
            if await reader.peek_in_log() is None:
                silence.began = self._clock.monotonic_seconds()
            return self._clock.monotonic_seconds() + self._seconds[name]
        until = silence.began + self._seconds[name]
        if self._clock.monotonic_seconds() >= until and await reader.peek_in_log() is None:
            silence.is_over = True
        return until
