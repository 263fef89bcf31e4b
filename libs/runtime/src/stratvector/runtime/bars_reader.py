"""bars_reader: the `bars` lanes of a portfolio's universes, asked close by close.

    replay              which close comes next the bars say: the earliest that any universe promises
    run with deadlines  a message names the bars of each close, or says that a universe is absent

A universe that is absent has promised a close and said nothing since. Its next message is that of
the promised close in any case, however late: no lane of bars leaves a close out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.bars_places import place_after
from stratvector.runtime.epochs import newest_content
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import Reader, Received, carried_sequence
from stratvector.runtime.unfit_messages import (
    OtherBars,
    OtherSymbols,
    refuse_late_close,
    refuse_other_close,
    refuse_unnamed,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import bars_lane
from stratvector.trading.meaning.bars import check_bars_of
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.ticks import Tick, TickBars
from stratvector.trading.used_bars import ABSENT
from stratvector.trading.versions import begins_anew


@dataclass(frozen=True)
class Due:
    """A close that comes: its time, ns UTC, and who closes, in the portfolio's order."""

    close_time: int
    universes: tuple[str, ...]


class UniverseReader(Reader[ClosedBars]):
    """The `bars` lane of one of a portfolio's universes. Who reads it takes columns by place, so
    symbols are checked.

    start : the first close that may trade, ns UTC; what is before it is passed over. carried : what
    the chapter begins with; what it has used is not read again, and of a version that begins with
    the chapter nothing up to its beginning.
    promised : when the universe closes next, ns UTC, as the newest message that was taken says it;
    0 = never again, None before any says it.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        universe: Universe,
        start: int = 0,
        follows: bool = False,
        carried: Carried | None = None,
    ) -> None:
        lane, place = bars_lane(portfolio, universe), None
        after = carried_sequence(carried, lane)
        is_new = begins_anew(portfolio, universe, carried)
        if carried is not None and is_new:
            place = partial(place_after, ports.bus, lane, carried.bars_until(universe.name))
        super().__init__(ports, lane, decode_closed_bars, self._refuse, follows, after, place)
        self._bus, self._universe, self._symbols = ports.bus, universe, universe.symbols
        self._start, self._newest = start, 0
        self._told: int | None = None  # the next close by the newest message that was read
        if carried is not None and (after or is_new):
            self._newest = carried.bars_until(universe.name)
            self._told = carried.next_closes.get(universe.name)
        self.promised = self._told
        self._first: Received[ClosedBars] | None = None

    async def due(self) -> int:
        """When the universe closes next, ns UTC; 0 = never again.

        Waits for the lane's first messages, and then for none: the newest that was read says it.
        """
        while self.promised is None:
            self._note(await self.next())
        return self.promised

    async def at(self, close_time: int) -> Received[ClosedBars]:
        """That of the close that is due. Raises OutOfStep."""
        await self.due()
        received = await self._following()
        refuse_other_close(self.lane, close_time, received.noun.close_time)
        return received

    async def named(self, id: str) -> Received[ClosedBars]:
        """The next one that may trade, which must be that message. Raises OtherBars."""
        while self.promised is None:
            self._note(await self.next())
        received = await self._following()
        if received.id != id:
            raise OtherBars(self.lane, id, received.id)
        return received

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return self._first is not None or await super().look(patience_seconds)

    async def peek(self, patience_seconds: float) -> Received[ClosedBars] | None:
        """The next one that may trade, if it is at hand or comes in time; it stays the next."""
        while self._first is None:
            if not await super().look(patience_seconds):
                return None
            self._note(await self.next())
        return self._first

    async def peek_in_log(self) -> Received[ClosedBars] | None:
        """The same as the log is now: whatever was stored before this was asked is seen."""
        if self._first is None and not await self.look_in_log():
            return None
        return await self.peek(0.0)

    async def take(self) -> Received[ClosedBars]:
        """The one that `peek` found."""
        return await self._following()

    async def has_ended(self, newest: int) -> bool:
        """Whether no close comes after `newest` (ns UTC), as far as the log tells it."""
        if self.promised is not None and not 0 < self.promised <= newest:
            return not self.promised
        last = await newest_content(self._bus, self.lane)
        if last is None:
            return False
        section = decode_closed_bars(last.message.payload)
        return not section.next_close and section.close_time <= newest

    def _note(self, received: Received[ClosedBars]) -> None:
        """Keep the first that may trade; of those before it that it comes."""
        section = received.noun
        if self.promised is not None or section.close_time >= self._start:
            self._first = received
            self.promised = self.promised or section.close_time
        elif not 0 < section.next_close < self._start:
            self.promised = section.next_close

    async def _following(self) -> Received[ClosedBars]:
        received, self._first = self._first or await self.next(), None
        received.take_up()
        self.promised = received.noun.next_close
        return received

    def _refuse(self, section: ClosedBars) -> None:
        """Raises OtherSymbols or Absurd."""
        if section.symbols != self._symbols:
            raise OtherSymbols(self.lane, self._symbols, section.symbols)
        check_bars_of(section, self._universe, self._newest, self._told)
        self._newest, self._told = section.close_time, section.next_close


class BarsReader:
    """The `bars` lanes of a portfolio's universes. start, carried : see `UniverseReader`. readers :
    by universe, in the portfolio's order.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        follows: bool = False,
        carried: Carried | None = None,
    ) -> None:
        self.readers: Mapping[str, UniverseReader] = {
            universe.name: UniverseReader(ports, portfolio, universe, start, follows, carried)
            for universe in portfolio.universes
        }

    async def due(self) -> Due | None:
        """The portfolio's next close in a replay, None when none of its universes closes again."""
        times = {name: await reader.due() for name, reader in self.readers.items()}
        coming = [time for time in times.values() if time]
        if not coming:
            return None
        close_time = min(coming)
        return Due(close_time, tuple(name for name, time in times.items() if time == close_time))

    async def at(self, close_time: int, universes: Sequence[str]) -> list[Received[ClosedBars]]:
        """The cross-sections of the universes that close at a time, in the given order."""
        return [await self.readers[universe].at(close_time) for universe in universes]

    async def next(self) -> TickBars | None:
        """Those of the next close in a replay, None when there is none."""
        if (due := await self.due()) is None:
            return None
        return TickBars(due.close_time, tuple(await self.at(due.close_time, due.universes)))

    async def named(self, tick: Tick) -> TickBars:
        """Those that somebody used at a close, who judged what came in time. Raises OtherBars,
        OutOfStep, and UnnamedBars where a universe is left out or called absent though it is not.
        """
        late = [await self.readers[one.universe].named(one.message_id) for one in tick.late]
        for received in late:
            lane = self.readers[received.noun.universe].lane
            refuse_late_close(lane, tick.close_time, received.noun.close_time)
        closing, absent = list[Received[ClosedBars]](), list[str]()
        for name, reader in self.readers.items():
            used = tick.bars.get(name)
            if used not in (None, ABSENT):
                closing.append(await reader.named(str(used)))
                refuse_other_close(reader.lane, tick.close_time, closing[-1].noun.close_time)
                continue
            promised = reader.promised if used == ABSENT else await reader.due()
            is_overdue = promised is None or 0 < promised <= tick.close_time
            refuse_unnamed(reader.lane, tick.close_time, is_overdue, used == ABSENT)
            absent += [name] * is_overdue
        return TickBars(tick.close_time, tuple(closing), tuple(late), tuple(absent))

    async def look(self, universes: Iterable[str], patience_seconds: float) -> bool:
        """Whether the next cross-section of each universe is at hand, or comes in time."""
        for universe in universes:
            if not await self.readers[universe].look(patience_seconds):
                return False
        return True

    async def have_ended(self, newest: int) -> bool:
        """Whether no universe closes after `newest` (ns UTC), as far as the log tells it."""
        readers = self.readers.values()
        if any((reader.promised or 0) > newest for reader in readers):
            return False
        return all([await reader.has_ended(newest) for reader in readers])

    def promise_after(self, close_time: int) -> bool:
        """Whether a universe that is not absent closes after a time, ns UTC."""
        return any((reader.promised or 0) > close_time for reader in self.readers.values())

    async def listen(self) -> None:
        """See `Reader.listen`."""
        for reader in self.readers.values():
            await reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        for reader in self.readers.values():
            await reader.close()
