"""session_log: a whole session read from the log, as its readers read it.

    lanes of the portfolio ─▶ content that counts, once ─▶ closes with their bars ─▶ ledger entries

It stands on a bus and on nothing else: a finished session gives all its closes, one that is still
running gives those that are complete.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from stratvector.contracts.codecs import (
    BadMessage,
    decode_decision,
    decode_fills_report,
    decode_positions,
)
from stratvector.runtime.chapter_changes import OtherChapter, renewed_models
from stratvector.runtime.chapters import (
    Standing,
    first_chapter,
    oldest_readable,
    opened_chapter,
    opened_chapters,
    strategies_in,
)
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.epochs import contents
from stratvector.runtime.logged_bars import UniverseBars, certain, read_bars
from stratvector.runtime.logged_engines import LoggedEngines, logged_engines
from stratvector.runtime.logged_entries import entries_of
from stratvector.runtime.logged_lane import LoggedLane, content_of, logged
from stratvector.runtime.logged_signals import LoggedSignals
from stratvector.runtime.logged_ticks import LoggedTick, NamedTicks, promised_ticks
from stratvector.runtime.ports import Bus, Kind, Stored
from stratvector.runtime.readers import carried_sequence, opening_in
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.unfit_messages import (
    UnfitMessage,
    refuse_other_close,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import FIRST, Opened
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import (
    fills_lanes,
    orders_lane,
    positions_lane,
)
from stratvector.trading.ledger import Positions
from stratvector.trading.logged import (
    EarlierClose,
    Logged,
    LoggedChapter,
    LoggedClose,
    SessionLog,
    UndecidedClose,
)
from stratvector.trading.meaning.chapters import (
    check_chapter_number,
    check_chapter_of,
    check_report_chapter,
)
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import has_deadlines
from stratvector.trading.schedule import merge
from stratvector.trading.unfit import UnfitNoun

Content = TypeVar("Content")


async def read_session(
    bus: Bus, session: SessionParts, begins: Standing | None = None
) -> SessionLog:
    """Every lane of a session's portfolio, from its beginning to what is stored now.

    begins : the chapter to read from, None for the first of all; the session is that chapter's,
    then. Raises BadSession where the log is purged: it can be read with its archive before it.
    """
    of = session.portfolio
    if begins is not None:
        later = await _chapters_with_bars(bus, of, begins.sequence)
        bars = await read_bars(bus, session, later, begins)
        newest = later[-1].number if later else begins.number
        engines = await logged_engines(bus, session, begins)
        reading = _Reading(bus, session, bars, newest, engines, begins)
        await reading.read()
        return reading.result()
    if (oldest := await oldest_readable(bus, of.run, of.name)) is not None:
        raise BadSession(
            f"the log of {of.run}.{of.name} begins with chapter {oldest.number}: what was before "
            "is in its archive, name it with --archive"
        )
    chapters = await _chapters_with_bars(bus, of)
    bars, newest = await read_bars(bus, session, chapters), chapters[-1].number if chapters else 0
    reading = _Reading(bus, session, bars, newest, await logged_engines(bus, session))
    await reading.read()
    return reading.result()


async def _chapters_with_bars(bus: Bus, portfolio: Portfolio, after: int = 0) -> Sequence[Standing]:
    """The chapters that have opened; none where they can't be read, which their lanes tell. after :
    only those whose content has a sequence above.
    """
    try:
        return await opened_chapters(bus, portfolio.run, portfolio.name, after)
    except (BadMessage, OtherChapter, BadSession, UnfitMessage):
        return ()


class _Reading:
    """The lanes of one session, read one after the other, by the closes that its bars tell.

    newest : number of the chapter up to which the bars are those of its universes.
    """

    def __init__(
        self,
        bus: Bus,
        session: SessionParts,
        bars: Mapping[str, UniverseBars],
        newest: int,
        engines: LoggedEngines,
        begins: Standing | None = None,
    ) -> None:
        self._newest = newest
        self._bus, self._portfolio, self._scheduled = bus, session.portfolio, session.closes
        self._engines, self._begins, self._carried = engines, begins, None
        self._first, self._before = FIRST, cast("Decision | None", None)
        if begins is not None:
            self._portfolio, self._scheduled = begins.portfolio, None
            self._carried, self._first = begins.carried, begins.number
        self._session = session
        self._bars, self._start = bars, session.start
        self._halts = [one.halt for one in bars.values() if one.halt is not None]
        self._schedule = merge({name: one.closes for name, one in bars.items()})
        self._positions, self._published = list[Logged[Positions]](), 0
        self._chapters: list[LoggedChapter] = []

    async def read(self) -> None:
        """Each lane in the order of the flow; decisions first, which tell where chapters begin."""
        self._ticks = await self._read_ticks()
        closes, portfolio = [tick.close_time for tick in self._ticks], self._portfolio
        decisions = orders_lane(portfolio)
        self._decisions = LoggedLane[Logged[Decision]]("orders", decisions, closes, self._halts)
        self._reports = {
            account: LoggedLane[tuple[Logged[FillsReport], ...]]("fills", name, closes, self._halts)
            for account, name in fills_lanes(portfolio).items()
        }
        await self._read_decisions()
        parts = (portfolio, self._ticks, self._chapters, self._chapter_of, self._decisions.at)
        self._signals = LoggedSignals(*parts, self._engines, self._halts, self._carried)
        await self._signals.read(self._bus)
        for account in self._reports:
            await self._read_reports(account)
        await self._read_positions()

    async def _read_ticks(self) -> Sequence[LoggedTick]:
        if not has_deadlines(self._portfolio.run):
            # Other lanes may have grown since; which close comes next is known only up to here.
            known = certain(self._schedule, self._start, self._bars.values())
            return promised_ticks(known, self._bars)
        named = NamedTicks(self._portfolio, self._bars, self._carried)
        await named.read(self._bus)
        self._halts += named.halts
        return named.ticks

    def result(self) -> SessionLog:
        """What was read, as far as closes are complete."""
        complete = list[LoggedClose]()
        while isinstance(close := self._close(len(complete)), LoggedClose):
            complete.append(close)
        lanes = {account: lane.subject for account, lane in self._reports.items()}
        chapters = [one for one in self._chapters if one.noun.carried]
        entries, refused = entries_of(self._portfolio, self._carried, chapters, complete, lanes)
        self._halts += refused
        return SessionLog(
            scheduled=self._count,
            schedule=self._schedule,
            ended=all(bars.ended for bars in self._bars.values()),
            closes=tuple(complete),
            undecided=close,
            entries=entries,
            warmup={
                name: tuple(bars.warmup if bars.begun is None else bars.begun)
                for name, bars in self._bars.items()
            },
            positions=tuple(self._positions),
            bars=sum(len(bars.at) for bars in self._bars.values()),
            signals=sum(one is not None for at in self._signals.at.values() for one in at.values()),
            halts=tuple(self._halts),
            chapters=tuple(self._chapters),
            other_engines=self._engines.others(),
            begins=self._logged_begins(),
            published=self._published,
        )

    def _logged_begins(self) -> LoggedChapter | None:
        """The chapter that is read first, None for the first of all."""
        if (begins := self._begins) is None:
            return None
        parts = (begins.chapter, begins.id, begins.sequence, begins.portfolio)
        return LoggedChapter(*parts, lambda: strategies_in(begins.chapter))

    @property
    def _count(self) -> int | None:
        """Closes of the whole session, which its document says; where universes came or went, their
        bars do.
        """
        names = [{u.name for u in one.portfolio.universes} for one in self._chapters]
        if self._begins or all(one == {u.name for u in self._portfolio.universes} for one in names):
            return self._scheduled
        return len(self._schedule) if all(bars.ended for bars in self._bars.values()) else None

    async def _read_decisions(self) -> None:
        """One message per close, in order; between two of them a chapter may open."""
        lane, ends_chapter = self._decisions, False
        for stored in await self._after_beginning(lane.subject):
            if (asked := lane.asked) is None:
                return
            try:
                if ends_chapter or stored.message.kind is Kind.OPENED:
                    opened = await self._opened(opening_in(stored))
                    self._engines.opened(opened, lane.subject, ends_chapter)
                    if not self._has_bars_of(opened):
                        return  # it opened after the bars were read
                    self._chapters.append(opened)
                    ends_chapter = False
                    continue
                decision = decode_decision(content_of(stored))
                check_chapter_number(decision.chapter, len(self._chapters) + self._first)
                refuse_other_close(lane.subject, asked, decision.close_time)
                self._engines.check_decision(stored, decision.chapter)
            except (BadMessage, UnfitMessage, UnfitNoun, OtherChapter, BadSession) as error:
                lane.halt(asked, stored, error)
                return
            lane.at[asked] = logged(stored, decision)
            ends_chapter = decision.ends_chapter
            if decision.ended:
                return

    async def _after_beginning(self, lane: str) -> list[Stored]:
        """What the orders lane says in the chapter that is read first, and after it."""
        if (begins := self._begins) is None:
            return await self._engines.contents(self._bus, lane)
        after = carried_sequence(begins.carried, lane)
        for stored in await self._bus.read(lane, after - 1, 1) if after else ():
            if stored.sequence == after:
                self._before = decode_decision(content_of(stored))
        found = await self._engines.contents(self._bus, lane, after)
        for place, stored in enumerate(found):
            is_opening = stored.message.kind is Kind.OPENED
            if is_opening and opening_in(stored).chapter_id == begins.id:
                return found[place + 1 :]
        raise BadSession(f"{lane} does not say that chapter {begins.number} has opened")

    async def _opened(self, opened: Opened) -> LoggedChapter:
        """Raises OtherChapter, BadMessage, BadSession, Absurd."""
        check_chapter_number(opened.number, len(self._chapters) + self._first + 1)
        portfolio = self._portfolio
        standing = await opened_chapter(self._bus, opened, portfolio.run)
        check_chapter_of(standing.chapter, portfolio)
        before = self._chapters[-1].noun if self._chapters else first_chapter(self._session)
        return LoggedChapter(
            standing.chapter,
            standing.id,
            standing.sequence,
            standing.portfolio,
            lambda: strategies_in(standing.chapter),
            {
                name: tuple(bars.before[opened.close_time])
                for name, bars in self._bars.items()
                if opened.close_time in bars.before
            },
            renewed_models(before, standing.chapter),
        )

    def _has_bars_of(self, chapter: LoggedChapter) -> bool:
        if chapter.noun.number <= self._newest:
            return True
        there = {name for name, bars in self._bars.items() if bars.is_there}
        universes = chapter.portfolio.universes
        return there == {one.name for one in universes} and all(
            one.version <= self._bars[one.name].universe.version for one in universes
        )

    def _portfolio_of(self, close_time: int) -> Portfolio:
        """As the chapter describes it that a close belongs to."""
        place = self._chapter_of(close_time) - self._first
        return self._chapters[place - 1].portfolio if place else self._portfolio

    def _chapter_of(self, close_time: int) -> int:
        """The number of the chapter that a close belongs to, as far as any has opened."""
        begins = [chapter.noun.carried for chapter in self._chapters]
        return self._first + sum(one is not None and one.close_time < close_time for one in begins)

    async def _read_reports(self, account: str) -> None:
        """What execution published of an account, by the close that it led to."""
        lane, waiting = self._reports[account], list[Logged[FillsReport]]()
        after = carried_sequence(self._carried, lane.subject)
        for stored in await self._engines.contents(self._bus, lane.subject, after):
            if (asked := lane.asked) is None:
                return
            try:
                report = decode_fills_report(content_of(stored))
                if report.closed is not None:
                    refuse_other_close(lane.subject, asked, report.closed)
                check_report_chapter(
                    report, self._oldest_of(report, len(lane.at)), self._chapter_of(asked)
                )
            except (BadMessage, UnfitMessage, UnfitNoun) as error:
                lane.halt(asked, stored, error)
                return
            waiting.append(logged(stored, report))
            if report.closed is not None:
                self._engines.note("fills", stored, self._chapter_of(asked))
                lane.at[asked], waiting = tuple(waiting), []

    def _oldest_of(self, report: FillsReport, read: int) -> int:
        """The earliest chapter that a report may name after so many closes were read: that of the
        decision before it, which, if it ended its chapter, was followed by the next one.
        """
        decision = self._before
        if read:
            logged_one = self._decisions.at.get(self._ticks[read - 1].close_time)
            decision = None if logged_one is None else logged_one.noun
        if decision is None:
            return FIRST
        is_next = decision.ends_chapter and report.closed is not None
        return decision.chapter + is_next

    async def _read_positions(self) -> None:
        """What the ledger published: only closes with executions have a message."""
        name = positions_lane(self._portfolio)
        lane, last = LoggedLane[None]("positions", name, (), self._halts), 0
        begins_after = 0 if self._carried is None else self._carried.close_time
        for stored in await contents(self._bus, name):
            try:
                positions = decode_positions(content_of(stored))
            except (BadMessage, UnfitMessage) as error:
                lane.halt(last, stored, error)
                return
            last = positions.close_time
            if last <= begins_after:
                self._published = positions.number + 1
            else:
                self._positions.append(logged(stored, positions))

    def _close(self, index: int) -> UndecidedClose | None:
        """One close, with its decision if it is there; None while another message is missing."""
        if index == len(self._ticks):
            return None
        tick = self._ticks[index]
        close_time, portfolio = tick.close_time, self._portfolio_of(tick.close_time)
        models = [model.name for model in portfolio.signalling(tick.closing)]
        order = [one.name for one in portfolio.universes if one.name in tick.closing]
        bars = {name: one for name in order if (one := tick.closing[name]) is not None}
        came = _all_at(close_time, {name: self._signals.at[name] for name in models})
        reports = self._reports_at(close_time)
        earlier = tuple(self._earlier(one, portfolio) for one in tick.late)
        if len(bars) < len(tick.closing) or came is None or reports is None or None in earlier:
            return None
        parts: dict[str, Any] = {"absent": tick.absent, "earlier": earlier}
        signals = {name: one for name, one in came.items() if one is not None}
        decision = self._decisions.at.get(close_time)
        if decision is None:
            return UndecidedClose(close_time, bars, signals, reports, **parts)
        cut = decision.noun.cut
        used = {name: one for name, one in signals.items() if not cut.is_late(name)}
        late = {name: one for name, one in signals.items() if cut.is_late(name)}
        return LoggedClose(close_time, bars, used, reports, decision, late, **parts)

    def _reports_at(self, close_time: int) -> tuple[Logged[FillsReport], ...] | None:
        """Those of all accounts; None while one of them has not closed the close."""
        found = [lane.at.get(close_time) for lane in self._reports.values()]
        if None in found:
            return None
        return tuple(report for reports in found for report in reports or ())

    def _earlier(self, bars: Logged[ClosedBars], portfolio: Portfolio) -> EarlierClose | None:
        """A close whose bars came late; None where its models' lanes were not read so far."""
        models = [model.name for model in portfolio.signalling([bars.noun.universe])]
        came = _all_at(bars.noun.close_time, {name: self._signals.at[name] for name in models})
        if came is None:
            return None
        return EarlierClose(bars, {name: one for name, one in came.items() if one is not None})


def _all_at(
    close_time: int, lanes: Mapping[str, Mapping[int, Content]]
) -> dict[str, Content] | None:
    """What each lane has of a close, by name; None while one has nothing."""
    if any(close_time not in at for at in lanes.values()):
        return None
    return {name: at[close_time] for name, at in lanes.items()}
