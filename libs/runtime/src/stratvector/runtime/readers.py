"""readers: the flow's inboxes with their contents decoded, asked close by close.

Which close comes next is what the bars say: each cross-section tells when its universe closes next,
and a portfolio's next close is the earliest of its universes'. Risk, execution, ledger and drift
walk the same closes, then; each asks for what belongs to one of them and gets exactly that, or an
error that halts it.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from stratvector.contracts.codecs import (
    Decided,
    decode_closed_bars,
    decode_decided,
    decode_decision,
    decode_fills_report,
    decode_opened,
)
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.bars_places import place_after
from stratvector.runtime.inbox import Inbox, Place
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.unfit_messages import (
    MisplacedOpening,
    OtherSymbols,
    refuse_other_close,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Opened
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import bars_lane, fills_lane, orders_lane
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.bars import check_bars_of
from stratvector.trading.meaning.chapters import check_chapter_number, check_report_chapter
from stratvector.trading.meaning.fills import check_next_report, check_report_of
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.unfit import Absurd
from stratvector.trading.versions import begins_anew

Noun = TypeVar("Noun")


@dataclass(frozen=True)
class Received(Logged[Noun]):
    """A noun with the message that it came in."""

    stored: Stored

    def take_up(self) -> None:
        """Work on this message from here on: what can't be processed is it, and not the one that
        was read last.
        """
        AT_HAND.set(self.stored)


class Reader(Generic[Noun]):
    """An inbox that decodes, and refuses what the lane's owner can't have meant.

    check : raises UnfitNoun for a noun that is none of the reader's portfolio. follows : reads the
    lane's log page by page, and does not listen. after : the sequence to start above. place : see
    `Inbox`.
    """

    def __init__(
        self,
        ports: Ports,
        lane: str,
        decode: Callable[[bytes], Noun],
        check: Callable[[Noun], None],
        follows: bool = False,
        after: int = 0,
        place: Place | None = None,
    ) -> None:
        self.lane = lane
        self._inbox = Inbox(ports, lane, follows, after, place=place)
        self._decode, self._check = decode, check

    async def next(self) -> Received[Noun]:
        """The next message of the lane. Raises BadMessage, MisplacedOpening and what the check
        raises.
        """
        stored = await self._inbox.next()
        if stored.message.kind is Kind.OPENED:
            raise MisplacedOpening(f"{self.lane} holds a chapter's opening where none may be")
        return self._received(stored)

    def _received(self, stored: Stored) -> Received[Noun]:
        noun = self._decode(stored.message.payload)
        self._check(noun)
        return Received(noun, stored.message.id, stored.sequence, stored)

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return await self._inbox.look(patience_seconds)

    async def look_in_log(self) -> bool:
        """Whether the next message is there, as the log is now."""
        return await self._inbox.look_in_log()

    def at_hand(self) -> bool:
        """Whether the next message is here without asking the bus."""
        return self._inbox.at_hand()

    async def listen(self) -> None:
        """From now on hear each message as it comes, where this reader only followed."""
        await self._inbox.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        await self._inbox.close()


@dataclass(frozen=True)
class Due:
    """A close that comes: its time, ns UTC, and who closes, in the portfolio's order."""

    close_time: int
    universes: tuple[str, ...]


class UniverseReader(Reader[ClosedBars]):
    """The `bars` lane of one of a portfolio's universes. Who reads it takes columns by place, so
    symbols are checked.

    start : the first close that may trade, ns UTC; `due` and `at` pass over what is before it.
    carried : what the chapter begins with; what it has used is not read again, and of a version
    that begins with the chapter nothing up to its beginning.
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
            place = partial(place_after, ports.bus, lane, carried.close_time)
        super().__init__(ports, lane, decode_closed_bars, self._refuse, follows, after, place)
        self._universe, self._symbols, self._newest = universe, universe.symbols, 0
        self._start = start
        self._promised: int | None = None
        if carried is not None and (after or is_new):
            self._newest, self._promised = carried.close_time, carried.next_closes[universe.name]
        self._due = self._promised
        self._first: Received[ClosedBars] | None = None

    async def due(self) -> int:
        """When the universe closes next, ns UTC; 0 = never again.

        Waits for the lane's first messages, and then for none: the newest that was read says it.
        """
        while self._due is None:
            received = await self.next()
            section = received.noun
            if section.close_time >= self._start:
                self._first, self._due = received, section.close_time
            elif not 0 < section.next_close < self._start:
                self._due = section.next_close
        return self._due

    async def at(self, close_time: int) -> Received[ClosedBars]:
        """That of the close that is due. Raises OutOfStep."""
        await self.due()
        received, self._first = self._first or await self.next(), None
        received.take_up()
        refuse_other_close(self.lane, close_time, received.noun.close_time)
        self._due = received.noun.next_close
        return received

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return self._first is not None or await super().look(patience_seconds)

    def _refuse(self, section: ClosedBars) -> None:
        """Raises OtherSymbols or Absurd."""
        if section.symbols != self._symbols:
            raise OtherSymbols(self.lane, self._symbols, section.symbols)
        check_bars_of(section, self._universe, self._newest, self._promised)
        self._newest, self._promised = section.close_time, section.next_close


class BarsReader:
    """The `bars` lanes of a portfolio's universes. start, carried : see `UniverseReader`."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        follows: bool = False,
        carried: Carried | None = None,
    ) -> None:
        self._readers = {
            universe.name: UniverseReader(ports, portfolio, universe, start, follows, carried)
            for universe in portfolio.universes
        }

    async def due(self) -> Due | None:
        """The portfolio's next close, None when none of its universes closes again."""
        times = {name: await reader.due() for name, reader in self._readers.items()}
        coming = [time for time in times.values() if time]
        if not coming:
            return None
        close_time = min(coming)
        return Due(close_time, tuple(name for name, time in times.items() if time == close_time))

    async def at(self, close_time: int, universes: Sequence[str]) -> list[Received[ClosedBars]]:
        """The cross-sections of the universes that close at a time, in the given order."""
        return [await self._readers[universe].at(close_time) for universe in universes]

    async def look(self, universes: Sequence[str], patience_seconds: float) -> bool:
        """Whether the next cross-section of each universe is at hand, or comes in time."""
        for universe in universes:
            if not await self._readers[universe].look(patience_seconds):
                return False
        return True

    async def listen(self) -> None:
        """See `Reader.listen`."""
        for reader in self._readers.values():
            await reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        for reader in self._readers.values():
            await reader.close()


class OrdersReader(Reader[Decision]):
    """The portfolio's `orders` lane in one chapter, up to the opening of the next one."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        lane, own = orders_lane(portfolio), Own.of(portfolio)

        def check(decision: Decision) -> None:
            check_decision_of(decision, own)
            check_chapter_number(decision.chapter, chapter)

        after = carried_sequence(carried, lane)
        super().__init__(ports, lane, decode_decision, check, follows, after)
        self._chapter, self._is_opened = chapter, carried is None

    async def at(self, close_time: int) -> Received[Decision] | Opened:
        """The next decision, which must be of that close; or the opening of the next chapter, where
        another engine goes on before it. Raises OutOfStep.
        """
        while not self._is_opened:
            # Of chapters in which nothing was decided the openings stand one after the other.
            self._is_opened = (await self.opening()).number >= self._chapter
        stored = await self._inbox.next()
        if stored.message.kind is Kind.OPENED:
            return opening_in(stored)
        received = self._received(stored)
        refuse_other_close(self.lane, close_time, received.noun.close_time)
        return received

    async def opening(self) -> Opened:
        """That of the chapter that comes after the newest decision, or that this reader began with.

        Raises MisplacedOpening when something else is there.
        """
        stored = await self._inbox.next()
        return opening_in(stored)


def opening_in(stored: Stored) -> Opened:
    """The opening in a message. Raises MisplacedOpening, BadMessage."""
    if stored.message.kind is not Kind.OPENED:
        raise MisplacedOpening(
            f"{stored.message.subject} goes on where its chapter has ended; the next chapter must "
            "open there"
        )
    return decode_opened(stored.message.payload)


class ProgressReader:
    """The portfolio's `orders` lane, of which only the close times are wanted.

    closes : those that may be decided, ns UTC.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        closes: Container[int],
        carried: Carried | None = None,
    ) -> None:
        self.lane = orders_lane(portfolio)
        self._inbox = Inbox(ports, self.lane, after=carried_sequence(carried, self.lane))
        self._closes = closes

    async def next(self) -> Decided:
        """How far the next decision is. Raises Absurd, BadMessage."""
        stored = await self._inbox.next()
        while stored.message.kind is Kind.OPENED:
            stored = await self._inbox.next()
        decided = decode_decided(stored.message.payload)
        if decided.close_time not in self._closes:
            raise Absurd(f"close_time is {decided.close_time} ns, at which no universe closes")
        return decided

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return await self._inbox.look(patience_seconds)


class FillsReader:
    """The portfolio's `fills` lane, read up to each close."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        lane = fills_lane(portfolio)
        self._chapter, self._oldest = chapter, FIRST
        self._own, self._number = Own.of(portfolio), 0 if carried is None else carried.reports
        after = carried_sequence(carried, lane)
        self._reader = Reader(ports, lane, decode_fills_report, self._refuse, follows, after)

    async def until(self, close_time: int) -> list[Received[FillsReport]]:
        """Every report up to the one that closes `close_time`. Raises OutOfStep."""
        reports = [await self._reader.next()]
        while reports[-1].noun.closed is None:
            reports.append(await self._reader.next())
        closed = reports[-1].noun.closed
        assert closed is not None  # or the loop would go on
        refuse_other_close(self._reader.lane, close_time, closed)
        return reports

    async def listen(self) -> None:
        """See `Reader.listen`."""
        await self._reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        await self._reader.close()

    def _refuse(self, report: FillsReport) -> None:
        """Raises Absurd."""
        check_report_of(report, self._own)
        check_next_report(report, self._number)
        check_report_chapter(report, self._oldest, self._chapter)
        self._number += 1
        if report.closed is not None:
            # Its decision is of this chapter, and what execution says next follows that.
            self._oldest = self._chapter


def carried_sequence(carried: Carried | None, lane: str) -> int:
    """The message of a lane that was used last before the chapter, 0 = none."""
    return 0 if carried is None else carried.sequences.get(lane, 0)
