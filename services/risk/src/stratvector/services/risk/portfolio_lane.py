"""One portfolio's lane: bars, signals and fills of a close in, one decision out; before the first,
the chapter that says what all of them are a function of, and after many the next chapter.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import structlog

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.chapter_changes import adds_models, changed_universes
from stratvector.runtime.chapters import (
    ChapterWriter,
    Standing,
    newest_chapter,
    opened_chapter,
)
from stratvector.runtime.confirmations import CONFIRM_SECONDS_MAX, Confirmations
from stratvector.runtime.deployment import SIGNALS_DEADLINE_SECONDS
from stratvector.runtime.host import AnsweredFrom
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Kind, LostOwnership, Ports, Stored
from stratvector.runtime.readers import (
    BarsReader,
    FillsReader,
    Received,
    carried_sequence,
    opening_in,
)
from stratvector.runtime.signals_reader import SignalsReader, used_signals
from stratvector.runtime.unfit_messages import MisplacedOpening, OutOfStep
from stratvector.services.risk.portfolio_state import PortfolioState
from stratvector.services.risk.signals_gate import SignalsGate
from stratvector.services.risk.value_at_risk_queries import ValueAtRiskQueries
from stratvector.services.risk.wish_watch import WishWatch
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carrying import Carrying
from stratvector.trading.chapters import CLOSES_PER_CHAPTER, Chapter
from stratvector.trading.fills import FillsReport
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import orders_lane
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.chapters import check_chapter_number
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import LATE, Cut, Decision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.runs import has_deadlines
from stratvector.trading.signals import Signals
from stratvector.trading.value_at_risk import multipliers

UNCONFIRMED = f"{{}} did not say within {CONFIRM_SECONDS_MAX:g} s that it can load what is new"


class PortfolioLane:
    """Publishes one decision per close of the portfolio, from `start` (ns UTC) on, and opens the
    next chapter after every `closes_per_chapter` of them.

    signals_deadline_seconds : how long signals of a close may come after its bars and fills, in a
    run that has deadlines. late : model -> how often this owner has decided without its signals.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        chapter: Chapter,
        queries: ValueAtRiskQueries | None = None,
        closes_per_chapter: int = CLOSES_PER_CHAPTER,
        signals_deadline_seconds: float = SIGNALS_DEADLINE_SECONDS,
    ) -> None:
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._queries = queries or ValueAtRiskQueries(portfolio, None)
        self._wishes = WishWatch(ports, chapter)
        self._wanted: Chapter | None = None  # whose document the next chapter is to have
        self._closes_per_chapter = closes_per_chapter
        self._newest: Decision | None = None
        self._decided_at = 0
        self._is_current = False
        self._standing: Standing | None = None  # the chapter that is adopted here
        self._is_cold = False  # stands by without adopting
        self.lane = Lane(ports, orders_lane(portfolio))
        self._gate = SignalsGate(ports.clock, self.lane, signals_deadline_seconds)
        self._chapters = ChapterWriter(ports, chapter)

    def state(self) -> PortfolioState | None:
        """The portfolio as of the newest decision; None before the first one."""
        if self._newest is None:
            return None
        lots, marks = self.account.positions, self.account.marks
        return PortfolioState(
            self._portfolio,
            self._newest,
            self.account.peak,
            lots,
            {symbol: marks[symbol] for symbol in lots},
            self._carrying.figure,
            self._carrying.recorded_at,
            self._queries.trouble,
            dict(self._gate.late),
        )

    def answered_from(self) -> AnsweredFrom:
        """Whether questions are answered here: by the owner, once it has adopted what the log
        holds.
        """
        return AnsweredFrom(self.lane.subject, self.lane.is_owned and self._is_current)

    async def run(self) -> None:
        """Stand by, and adopt what is decided meanwhile; own the lane, open the first chapter
        unless it is there, then walk the closes: adopt decided closes, decide the others. Raises
        OtherChapter.
        """
        try:
            await self._walk()
        finally:
            await self._queries.close()

    async def _walk(self) -> None:
        await self.lane.acquire(self._stand_by)
        history = await self._take_over(await self._chapters.standing(self.lane))
        while not self._has_ended():
            if self._closes and self._newest is not None and self._newest.ends_chapter:
                await self._turn(await self._open_next())
            if (due := await self._bars.due()) is None:
                return
            adopted = await self._adopted(history, due.close_time)
            # Whoever asks need not wait for the next close.
            self._is_current = self.lane.is_folded
            await self._close(due.close_time, due.universes, adopted)
            self._is_current = self.lane.is_folded

    def _has_ended(self) -> bool:
        return self._newest is not None and self._newest.ended

    async def _stand_by(self, seconds: float) -> None:
        """Adopt what the owner decides, and rest for what is left of so many seconds: the less is
        left to adopt when this instance owns the lane, the sooner it decides and answers.
        """
        clock = self._ports.clock
        until = clock.monotonic_seconds() + seconds
        try:
            while not self._is_cold and clock.monotonic_seconds() < until:
                if not await self._adopts_next():
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the owner's to tell
            # From the chapter's beginning, once this instance owns the lane; and not before.
            self._is_cold = True
            log = structlog.get_logger("stratvector.risk")
            log.warning("stands by without adopting", lane=self.lane.subject, why=str(error))
        await clock.sleep(max(0.0, until - clock.monotonic_seconds()))

    async def _adopts_next(self) -> bool:
        """Adopt one decision, or the chapter that opens; False when there is none."""
        if self._standing is None:
            of = self._portfolio
            newest = await newest_chapter(self._ports.bus, of.run, of.name)
            if newest is None:
                return False
            self._begin(newest, follows=True)
            after = carried_sequence(newest.carried, self.lane.subject)
            self._followed = Inbox(self._ports, self.lane.subject, follows=True, after=after)
        if not await self._followed.look(0.0):
            return False
        stored = await self._followed.next()
        if stored.message.kind is not Kind.OPENED:
            due = await self._bars.due()
            decision = self._decision_in(stored, 0 if due is None else due.close_time)
            assert due is not None, "no decision is of close 0"
            await self._close(due.close_time, due.universes, decision)
        elif (opened := opening_in(stored)).number != self._chapter:
            standing = await opened_chapter(self._ports.bus, opened, self._portfolio.run)
            await self._turn(standing, follows=True)
        return True

    async def _take_over(self, standing: Standing) -> AsyncIterator[Stored]:
        """Go on from what was adopted while standing by, or else from the chapter's beginning; the
        decisions that are still to be adopted.
        """
        if self._standing is None or self._is_cold:
            self._begin(standing)
        elif self._chapter == standing.number and self._closes:
            for reader in self._readers():
                await reader.listen()
            return self.lane.history(self._decided_at)
        else:
            await self._turn(standing)
        history = await self._history(standing)
        self._is_current = self.lane.is_folded
        return history

    async def _turn(self, standing: Standing, follows: bool = False) -> None:
        """Into the chapter that has opened."""
        for reader in self._readers():
            await reader.close()
        self._begin(standing, follows)

    def _begin(self, standing: Standing, follows: bool = False) -> None:
        """Go on from what a chapter carries; what is not in it was not read."""
        ports, portfolio, carried = self._ports, standing.portfolio, standing.carried
        self._portfolio, self._own = portfolio, Own.of(portfolio)
        self._standing, self._closes, self._wanted = standing, 0, None
        self._chapter = standing.number
        self.account = PortfolioAccount(portfolio, carried)
        self._carrying = Carrying(portfolio, carried)
        self._bars = BarsReader(ports, portfolio, self._start, follows, carried)
        self._fills = FillsReader(ports, portfolio, follows, standing.number, carried)
        self._signals = {
            model.name: SignalsReader(
                ports, portfolio, model.name, follows, standing.number, carried
            )
            for model in portfolio.active
        }
        self._queries.begin(portfolio)
        if self._carrying.figure is not None:
            self._queries.recorded(self._carrying.figure)

    def _readers(self) -> Sequence[BarsReader | FillsReader | SignalsReader]:
        return [self._bars, self._fills, *self._signals.values()]

    async def _history(self, standing: Standing) -> AsyncIterator[Stored]:
        """The decisions of the chapter that are in the lane, its opening passed over."""
        if (carried := standing.carried) is None:
            return self.lane.history()
        decided = carried.sequences[self.lane.subject]
        await self._recall(decided)
        history = self.lane.history(decided)
        if (opened := await anext(history, None)) is None:
            # It opened after this owner's mark: somebody else owns the lane since.
            number = standing.number
            raise LostOwnership(f"{self.lane.subject}: another owner has opened chapter {number}")
        opening_in(opened)
        return history

    async def _recall(self, sequence: int) -> None:
        """The newest decision, which the chapter begins after, for whoever asks."""
        for stored in await self._ports.bus.read(self.lane.subject, sequence - 1, 1):
            self._newest = decode_decision(stored.message.payload)

    async def _open_next(self) -> Standing:
        """With what is wanted, if whoever must load it can; else as it was."""
        carried, before, wanted = self.account.carried(self._carrying), self._standing, self._wanted
        assert before is not None
        loading = () if wanted is None else _loading(before.chapter, wanted)
        if loading:
            proposed = await self._chapters.propose(self.lane, before, carried, wanted)
            if not await self._can_load(loading, proposed.message.id):
                wanted = None
        return await self._chapters.open(self.lane, before, carried, wanted)

    async def _can_load(self, services: Sequence[str], chapter_id: str) -> bool:
        """Whether each of them says so, all within one deadline."""
        of, clock = (self._portfolio.run, self._portfolio.name), self._ports.clock
        deadline = clock.monotonic_seconds() + CONFIRM_SECONDS_MAX
        for service in services:
            said = Confirmations(self._ports.key_value, service, *of)
            why = await said.refusal(clock, chapter_id, deadline)
            if why is None:
                self._wishes.refuse(UNCONFIRMED.format(service), retries=True)
            elif why:
                self._wishes.refuse(why)
            if why != "":
                return False
        return True

    async def _adopted(self, history: AsyncIterator[Stored], close_time: int) -> Decision | None:
        """What an earlier owner decided at a close, None beyond its last one. Raises OutOfStep,
        MisplacedOpening, Absurd.
        """
        async for stored in history:
            return self._decision_in(stored, close_time)
        return None

    def _decision_in(self, stored: Stored, close_time: int) -> Decision:
        """That of a close. Raises OutOfStep, MisplacedOpening, Absurd."""
        if stored.message.kind is Kind.OPENED:
            raise MisplacedOpening(f"{self.lane.subject} opens a chapter in the middle of one")
        decision = decode_decision(stored.message.payload)
        check_decision_of(decision, self._own)
        check_chapter_number(decision.chapter, self._chapter)
        if decision.close_time != close_time:
            raise OutOfStep(self.lane.subject, close_time, decision.close_time)
        self._decided_at = stored.sequence
        return decision

    async def _close(
        self, close_time: int, universes: tuple[str, ...], decision: Decision | None
    ) -> Decision:
        bars = await self._bars.at(close_time, universes)
        models = self._portfolio.signalling(universes)
        signals, reports = await self._signals_and_reports(close_time, models, decision)
        for report in reports:
            report.take_up()
            for event in report.noun.events:
                self.account.settle(event)
        self._carrying.hear(close_time, bars, signals, reports)
        self.account.observe(
            close_time,
            [received.noun for received in bars],
            {model.name: _noun(signals.get(model.name)) for model in models},
        )
        if decision is None:
            decision = await self._decide(close_time, self._cut(bars, models, signals, reports))
            factor = min(decision.cut.multipliers, default=1.0)
            self._queries.decided(
                close_time,
                self._carrying.daily,
                self.account.positions,
                decision.equity,
                factor,
            )
        self.account.place(decision)
        self._carrying.place(decision, self._decided_at)
        self._remember(decision)
        return decision

    async def _decide(self, close_time: int, cut: Cut) -> Decision:
        """Decide and publish; a figure that arrived goes with it and weighs from the next close."""
        assert self._standing is not None
        ends_chapter = await self._ends_chapter(self._standing)
        decide = self.account.stop if self._wishes.stopped else self.account.decide
        decision = replace(
            decide(close_time, cut),
            value_at_risk=self._queries.arrived(),
            chapter=self._chapter,
            ends_chapter=ends_chapter,
        )
        if decision.ended:
            decision = replace(decision, ends_chapter=False)
        identity = message_id(hop("orders").stream, self.lane.subject, close_time)
        stored = await self.lane.publish(identity, encode_decision(decision), close_time)
        self._decided_at = stored.sequence
        return decision

    async def _ends_chapter(self, standing: Standing) -> bool:
        """Whether the chapter is as long as it may be, or another document is wanted; if there is
        anything after it.
        """
        self._wanted = await self._wishes.wanted(standing)
        if self._wanted is None and self._closes + 1 < self._closes_per_chapter:
            return False
        return await self._bars.due() is not None

    def _remember(self, decision: Decision) -> None:
        self._newest = decision
        self._closes += 1
        if (figure := decision.value_at_risk) is not None:
            self._queries.recorded(figure)

    async def _signals_and_reports(
        self, close_time: int, models: Sequence[ModelAllocation], adopted: Decision | None
    ) -> tuple[Mapping[str, Logged[Signals]], Sequence[Received[FillsReport]]]:
        """What a decision uses of models whose universe closes, late ones left out; and what
        execution published up to the close.
        """
        if adopted is not None:
            used = await used_signals(self._signals, models, adopted)
        elif not has_deadlines(self._portfolio.run):
            used = {model.name: await self._signals[model.name].at(close_time) for model in models}
        else:
            # With the fills all is there but signals: from here on they are waited for.
            reports = await self._fills.until(close_time)
            return await self._gate.in_time(self._signals, close_time, models), reports
        # Bars and signals may be far ahead; fills follow the decision before, so they come last.
        return used, await self._fills.until(close_time)

    def _cut(
        self,
        bars: Sequence[Logged[ClosedBars]],
        models: Sequence[ModelAllocation],
        signals: Mapping[str, Logged[Signals]],
        reports: Sequence[Logged[FillsReport]],
    ) -> Cut:
        return Cut(
            bars={received.noun.universe: received.id for received in bars},
            signals={
                model.name: signals[model.name].id if model.name in signals else LATE
                for model in models
            },
            fills_sequence=reports[-1].sequence,
            multipliers=multipliers(self._portfolio, self._carrying.figure),
        )


def _noun(received: Logged[Signals] | None) -> Signals | None:
    """None for signals that are late."""
    return None if received is None else received.noun


def _loading(before: Chapter, wanted: Chapter) -> tuple[str, ...]:
    """The services that must load what a document adds to the chapter before."""
    if changed_universes(before, wanted):
        return "market_data", "strategy"
    return ("strategy",) if adds_models(before, wanted) else ()
