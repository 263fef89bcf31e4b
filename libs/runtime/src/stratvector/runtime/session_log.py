"""session_log: a whole session read from the log, as its readers read it.

    lanes of the portfolio ─▶ content that counts, once ─▶ closes of the schedule ─▶ ledger entries

It stands on a bus and on nothing else: a finished session gives all its closes, one that is still
running gives those that are complete.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from stratvector.contracts.codecs import (
    BadMessage,
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    decode_positions,
    decode_signals,
)
from stratvector.runtime.chapters import OtherChapter, chapter_of, logged_chapters
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus, Stored
from stratvector.runtime.readers import (
    OfOneClose,
    OtherSymbols,
    OutOfStep,
    UnfitMessage,
)
from stratvector.runtime.session_document import BadSession
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from stratvector.trading.ledger import LedgerEntry, Positions
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.logged import Halt, Logged, LoggedClose, SessionLog, UndecidedClose
from stratvector.trading.meaning.bars import check_bars_of
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.schedule import Schedule
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import UnfitNoun

PAGE = 256

Noun = TypeVar("Noun")
NounOfOneClose = TypeVar("NounOfOneClose", bound=OfOneClose)
Content = TypeVar("Content")


class Lanes(Protocol):
    """What tells which lanes a session has, and what must stand in them."""

    @property
    def portfolio(self) -> Portfolio: ...

    @property
    def schedule(self) -> Schedule: ...


class EndlessBars(UnfitMessage):
    """Bars that announce a close after the session's last one."""

    def __init__(self, lane: str, close_time: int, told: int) -> None:
        super().__init__(
            f"{lane} says at the session's last close, {close_time}, that the next one is {told}"
        )
        self.lane, self.close_time, self.told = lane, close_time, told


class _Lane(Generic[Content]):
    """What a lane gives per close, up to where its readers halt."""

    def __init__(self, noun: str, subject: str, closes: Sequence[int], halts: list[Halt]) -> None:
        self.noun, self.subject = noun, subject
        self.at: dict[int, Content] = {}
        self._closes, self._halts = closes, halts

    @property
    def asked(self) -> int | None:
        """The close that must come next; None after the last one."""
        return self._closes[len(self.at)] if len(self.at) < len(self._closes) else None

    def halt(self, close_time: int, stored: Stored, error: Exception) -> None:
        """Nothing after this message is read."""
        self._halts.append(Halt(self.noun, self.subject, close_time, stored.message.id, str(error)))


async def read_session(bus: Bus, session: Lanes) -> SessionLog:
    """Every lane of a session's portfolio, from its beginning to what is stored now."""
    reading = _Reading(bus, session)
    await reading.read()
    return reading.result()


async def contents(bus: Bus, lane: str) -> list[Stored]:
    """The content of a lane that every reader takes: stale epochs dropped, each id once."""
    epochs, seen, taken, position = EpochFilter(), set[str](), list[Stored](), 0
    while page := await bus.read(lane, position, PAGE):
        position = page[-1].sequence
        for stored in page:
            if epochs.admits(stored.message) and stored.message.id not in seen:
                seen.add(stored.message.id)
                taken.append(stored)
    return taken


class _Reading:
    """The lanes of one session, read one after the other."""

    def __init__(self, bus: Bus, session: Lanes) -> None:
        self._bus, self._portfolio, self._schedule = bus, session.portfolio, session.schedule
        self._closes: list[int] = session.schedule.close_times.tolist()
        self._halts: list[Halt] = []
        self._sections: dict[str, _Lane[Logged[ClosedBars]]] = {}
        self._warmup: dict[str, tuple[Logged[ClosedBars], ...]] = {}
        self._signals: dict[str, _Lane[Logged[Signals]]] = {}
        self._positions: list[Logged[Positions]] = []
        decisions, reports = orders_lane(self._portfolio), fills_lane(self._portfolio)
        self._decisions = _Lane[Logged[Decision]]("orders", decisions, self._closes, self._halts)
        self._reports = _Lane[tuple[Logged[FillsReport], ...]](
            "fills", reports, self._closes, self._halts
        )

    async def read(self) -> None:
        """Each lane in the order of the flow."""
        for universe in self._portfolio.universes:
            await self._read_bars(universe)
        for model in self._portfolio.models:
            name = signals_lane(self._portfolio, model.name)
            closes = self._schedule.closes_of(model.universe).tolist()
            self._signals[model.name] = _Lane("signals", name, closes, self._halts)
            await self._read_lane(self._signals[model.name], decode_signals)
        await self._read_lane(self._decisions, decode_decision)
        await self._read_reports()
        await self._read_positions()

    def result(self) -> SessionLog:
        """What was read, as far as closes are complete."""
        complete = list[LoggedClose]()
        while isinstance(close := self._close(len(complete)), LoggedClose):
            complete.append(close)
        entries = self._entries(complete)
        return SessionLog(
            scheduled=len(self._closes),
            closes=tuple(complete),
            undecided=close,
            entries=entries,
            warmup=self._warmup,
            positions=tuple(self._positions),
            bars=sum(len(lane.at) for lane in self._sections.values()),
            signals=sum(len(lane.at) for lane in self._signals.values()),
            halts=tuple(self._halts),
        )

    async def _read_bars(self, universe: Universe) -> None:
        """A universe's bars; those before the first close are its warm-up."""
        name = bars_lane(self._portfolio, universe)
        closes, early = self._schedule.closes_of(universe.name).tolist(), list[Logged[ClosedBars]]()
        newest: ClosedBars | None = None

        def decode(payload: bytes) -> ClosedBars:
            nonlocal newest
            section = decode_closed_bars(payload)
            before, promised = (newest.close_time, newest.next_close) if newest else (0, None)
            check_bars_of(section, universe, before, promised)
            if section.symbols != universe.symbols:
                raise OtherSymbols(name, universe.symbols, section.symbols)
            if section.next_close and section.close_time == closes[-1]:
                raise EndlessBars(name, section.close_time, section.next_close)
            newest = section
            return section

        self._sections[universe.name] = _Lane("bars", name, closes, self._halts)
        await self._read_lane(self._sections[universe.name], decode, early)
        self._warmup[universe.name] = tuple(early)

    async def _read_lane(
        self,
        lane: _Lane[Logged[NounOfOneClose]],
        decode: Callable[[bytes], NounOfOneClose],
        early: list[Logged[NounOfOneClose]] | None = None,
    ) -> None:
        """One message per close, in order; with `early`, others may come before the first."""
        for stored in await contents(self._bus, lane.subject):
            if (asked := lane.asked) is None:
                return
            try:
                noun = decode(stored.message.payload)
                if early is not None and not lane.at and noun.close_time < asked:
                    early.append(_logged(stored, noun))
                    continue
                if noun.close_time != asked:
                    raise OutOfStep(lane.subject, asked, noun.close_time)
            except (BadMessage, UnfitMessage, UnfitNoun) as error:
                lane.halt(asked, stored, error)
                return
            lane.at[asked] = _logged(stored, noun)

    async def _read_reports(self) -> None:
        """What execution published, by the close that it led to."""
        lane, waiting = self._reports, list[Logged[FillsReport]]()
        for stored in await contents(self._bus, lane.subject):
            if (asked := lane.asked) is None:
                return
            try:
                report = decode_fills_report(stored.message.payload)
                if report.closed is not None and report.closed != asked:
                    raise OutOfStep(lane.subject, asked, report.closed)
            except (BadMessage, UnfitMessage) as error:
                lane.halt(asked, stored, error)
                return
            waiting.append(_logged(stored, report))
            if report.closed is not None:
                lane.at[asked], waiting = tuple(waiting), []

    async def _read_positions(self) -> None:
        """What the ledger published: only closes with executions have a message."""
        name = positions_lane(self._portfolio)
        lane, last = _Lane[None]("positions", name, (), self._halts), 0
        for stored in await contents(self._bus, name):
            try:
                positions = decode_positions(stored.message.payload)
            except BadMessage as error:
                lane.halt(last, stored, error)
                return
            self._positions.append(_logged(stored, positions))
            last = positions.close_time

    def _close(self, index: int) -> UndecidedClose | None:
        """One close, with its decision if it is there; None while another message is missing."""
        if index == len(self._closes):
            return None
        close_time, universes = self._closes[index], self._schedule.universes_at(index)
        models = [m.name for m in self._portfolio.models if m.universe in universes]
        bars = _all_at(close_time, {name: self._sections[name] for name in universes})
        signals = _all_at(close_time, {name: self._signals[name] for name in models})
        reports = self._reports.at.get(close_time)
        if bars is None or signals is None or reports is None:
            return None
        decision = self._decisions.at.get(close_time)
        if decision is None:
            return UndecidedClose(close_time, bars, signals, reports)
        return LoggedClose(close_time, bars, signals, reports, decision)

    def _entries(self, closes: Sequence[LoggedClose]) -> tuple[LedgerEntry, ...]:
        """The ledger's fold, up to an execution that it refuses."""
        fold, entries, lane = LedgerFold(self._portfolio), list[LedgerEntry](), self._reports
        for close in closes:
            sections = [logged.noun for logged in close.bars.values()]
            signals = [logged.noun for logged in close.signals.values()]
            try:
                entries.append(fold.fold(close.events, sections, signals, close.decision.noun))
            except UnfitNoun as error:
                identity = close.reports[-1].id
                self._halts.append(
                    Halt("fills", lane.subject, close.close_time, identity, str(error))
                )
                break
        return tuple(entries)


def _logged(stored: Stored, noun: Noun) -> Logged[Noun]:
    return Logged(noun, stored.message.id, stored.sequence)


def _all_at(close_time: int, lanes: Mapping[str, _Lane[Content]]) -> dict[str, Content] | None:
    """What each lane has of a close, by name; None while one has nothing."""
    if any(close_time not in lane.at for lane in lanes.values()):
        return None
    return {name: lane.at[close_time] for name, lane in lanes.items()}


async def logged_session(bus: Bus) -> LoggedSession | None:
    """The session that a log tells; None while it has not begun. Raises BadSession."""
    chapters = await logged_chapters(bus)
    if not chapters:
        return None
    if len(chapters) > 1:
        lanes = ", ".join(stored.message.subject for stored in chapters)
        raise BadSession(f"the log holds more than one session: {lanes}")
    try:
        return LoggedSession(chapter_of(chapters[0]))
    except (BadMessage, OtherChapter) as error:
        raise BadSession(f"{chapters[0].message.subject}: {error}") from None


async def read_logged_session(bus: Bus) -> tuple[LoggedSession, SessionLog] | None:
    """The same with all its lanes. Raises BadSession."""
    session = await logged_session(bus)
    return None if session is None else (session, await read_session(bus, session))
