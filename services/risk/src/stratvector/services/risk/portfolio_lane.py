"""One portfolio's lane: bars, signals and fills of a close in, one decision out; before the first,
the chapter that says what all of them are a function of, and after many the next chapter.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.chapter_changes import adds_models, changed_universes
from stratvector.runtime.chapters import ChapterWriter, Standing
from stratvector.runtime.confirmations import CONFIRM_SECONDS_MAX, Confirmations
from stratvector.runtime.host import AnsweredFrom
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Kind, LostOwnership, Ports, Stored
from stratvector.runtime.readers import BarsReader, FillsReader, SignalsReader, opening_in
from stratvector.runtime.unfit_messages import MisplacedOpening, OutOfStep
from stratvector.services.risk.portfolio_state import PortfolioState
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
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals
from stratvector.trading.value_at_risk import multipliers

UNCONFIRMED = f"{{}} did not say within {CONFIRM_SECONDS_MAX:g} s that it can load what is new"


class PortfolioLane:
    """Publishes one decision per close of the portfolio, from `start` (ns UTC) on, and opens the
    next chapter after every `closes_per_chapter` of them.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        chapter: Chapter,
        queries: ValueAtRiskQueries | None = None,
        closes_per_chapter: int = CLOSES_PER_CHAPTER,
    ) -> None:
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._queries = queries or ValueAtRiskQueries(portfolio, None)
        self._wishes = WishWatch(ports, chapter)
        self._wanted: Chapter | None = None  # whose document the next chapter is to have
        self._closes_per_chapter = closes_per_chapter
        self._newest: Decision | None = None
        self._is_current = False
        self.lane = Lane(ports, orders_lane(portfolio))
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
        )

    def answered_from(self) -> AnsweredFrom:
        """Whether questions are answered here: by the owner, once it has adopted what the log
        holds.
        """
        return AnsweredFrom(self.lane.subject, self.lane.is_owned and self._is_current)

    async def run(self) -> None:
        """Own the lane, open the first chapter unless it is there, then walk the closes: adopt
        decided closes, decide the others. Raises OtherChapter.
        """
        try:
            await self._walk()
        finally:
            await self._queries.close()

    async def _walk(self) -> None:
        await self.lane.acquire()
        standing = await self._chapters.standing(self.lane)
        self._begin(standing)
        history = await self._history(standing)
        self._is_current = self.lane.is_folded
        while (due := await self._bars.due()) is not None:
            adopted = await self._adopted(history, due.close_time)
            decision = await self._close(due.close_time, due.universes, adopted)
            self._is_current = self.lane.is_folded
            if decision.ended:
                return
            if decision.ends_chapter:
                standing = await self._open_next()
                await self._close_readers()
                self._begin(standing)

    def _begin(self, standing: Standing) -> None:
        """Go on from what a chapter carries; what is not in it was not read."""
        ports, portfolio, carried = self._ports, standing.portfolio, standing.carried
        self._portfolio, self._own = portfolio, Own.of(portfolio)
        self._standing, self._closes, self._wanted = standing, 0, None
        self.account = PortfolioAccount(portfolio, carried)
        self._carrying = Carrying(portfolio, carried)
        self._bars = BarsReader(ports, portfolio, self._start, carried=carried)
        self._fills = FillsReader(ports, portfolio, chapter=standing.number, carried=carried)
        self._signals = {
            model.name: SignalsReader(
                ports, portfolio, model.name, chapter=standing.number, carried=carried
            )
            for model in portfolio.active
        }
        self._queries.begin(portfolio)
        if self._carrying.figure is not None:
            self._queries.recorded(self._carrying.figure)

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

    async def _close_readers(self) -> None:
        await self._bars.close()
        await self._fills.close()
        for reader in self._signals.values():
            await reader.close()

    async def _adopted(self, history: AsyncIterator[Stored], close_time: int) -> Decision | None:
        """What an earlier owner decided at a close, None beyond its last one. Raises OutOfStep,
        MisplacedOpening, Absurd.
        """
        async for stored in history:
            if stored.message.kind is Kind.OPENED:
                raise MisplacedOpening(f"{self.lane.subject} opens a chapter in the middle of one")
            decision = decode_decision(stored.message.payload)
            check_decision_of(decision, self._own)
            check_chapter_number(decision.chapter, self._standing.number)
            if decision.close_time != close_time:
                raise OutOfStep(self.lane.subject, close_time, decision.close_time)
            self._decided_at = stored.sequence
            return decision
        return None

    async def _close(
        self, close_time: int, universes: tuple[str, ...], decision: Decision | None
    ) -> Decision:
        bars = await self._bars.at(close_time, universes)
        # Bars and signals may be far ahead; fills follow the decision before, so they come last.
        signals = await self._signals_at(close_time, universes)
        reports = await self._fills.until(close_time)
        for report in reports:
            report.take_up()
            for event in report.noun.events:
                self.account.settle(event)
        self._carrying.hear(close_time, bars, signals, reports)
        self.account.observe(
            close_time,
            [received.noun for received in bars],
            {model: received.noun for model, received in signals.items()},
        )
        if decision is None:
            decision = await self._decide(close_time, self._cut(bars, signals, reports))
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
        ends_chapter = await self._ends_chapter()
        decide = self.account.stop if self._wishes.stopped else self.account.decide
        decision = replace(
            decide(close_time, cut),
            value_at_risk=self._queries.arrived(),
            chapter=self._standing.number,
            ends_chapter=ends_chapter,
        )
        if decision.ended:
            decision = replace(decision, ends_chapter=False)
        identity = message_id(hop("orders").stream, self.lane.subject, close_time)
        stored = await self.lane.publish(identity, encode_decision(decision), close_time)
        self._decided_at = stored.sequence
        return decision

    async def _ends_chapter(self) -> bool:
        """Whether the chapter is as long as it may be, or another document is wanted; if there is
        anything after it.
        """
        self._wanted = await self._wishes.wanted(self._standing)
        if self._wanted is None and self._closes + 1 < self._closes_per_chapter:
            return False
        return await self._bars.due() is not None

    def _remember(self, decision: Decision) -> None:
        self._newest = decision
        self._closes += 1
        if (figure := decision.value_at_risk) is not None:
            self._queries.recorded(figure)

    async def _signals_at(
        self, close_time: int, universes: tuple[str, ...]
    ) -> dict[str, Logged[Signals]]:
        """The signals of every model whose universe closes."""
        return {
            model.name: await self._signals[model.name].at(close_time)
            for model in self._portfolio.signalling(universes)
        }

    def _cut(
        self,
        bars: Sequence[Logged[ClosedBars]],
        signals: Mapping[str, Logged[Signals]],
        reports: Sequence[Logged[FillsReport]],
    ) -> Cut:
        return Cut(
            bars={received.noun.universe: received.id for received in bars},
            signals={model: received.id for model, received in signals.items()},
            fills_sequence=reports[-1].sequence,
            multipliers=multipliers(self._portfolio, self._carrying.figure),
        )


def _loading(before: Chapter, wanted: Chapter) -> tuple[str, ...]:
    """The services that must load what a document adds to the chapter before."""
    if changed_universes(before, wanted):
        return "market_data", "strategy"
    return ("strategy",) if adds_models(before, wanted) else ()
