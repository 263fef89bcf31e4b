"""One portfolio's lane: bars, signals and fills of a close in, one decision out; before the first,
the chapter that says what all of them are a function of, and after many the next chapter.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from typing import TypeVar

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.bars_reader import Due
from stratvector.runtime.chapter_changes import adds_models, changed_universes, renewed_models
from stratvector.runtime.chapters import ChapterWriter, Standing
from stratvector.runtime.confirmations import CONFIRM_SECONDS_MAX, Confirmations
from stratvector.runtime.deployment import SIGNALS_DEADLINE_SECONDS
from stratvector.runtime.host import AnsweredFrom
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LostOwnership, Ports, Stored
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import carried_sequence, opening_in
from stratvector.runtime.taking import Taking
from stratvector.runtime.unfit_messages import UnfitMessage
from stratvector.services.risk.chapter_fold import ChapterFold
from stratvector.services.risk.portfolio_state import PortfolioState
from stratvector.services.risk.signals_gate import SignalsGate
from stratvector.services.risk.standby import Standby
from stratvector.services.risk.value_at_risk_queries import ValueAtRiskQueries
from stratvector.services.risk.wish_watch import WishWatch
from stratvector.trading.chapters import CLOSES_PER_CHAPTER, Chapter
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import orders_lane
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import UnfitNoun

Read = TypeVar("Read")
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
        self._fold: ChapterFold | None = None  # of the chapter that holds, once the lane is owned
        self._is_current = False
        self.lane = Lane(ports, orders_lane(portfolio))
        self._standby = Standby(ports, portfolio, start)
        self._gate = SignalsGate(ports.clock, signals_deadline_seconds)
        self._chapters = ChapterWriter(ports, chapter)
        self._engines = Taking(ports, "risk", portfolio, self.lane.subject)

    def state(self) -> PortfolioState | None:
        """The portfolio as of the newest decision; None before the first one, and to a standby."""
        fold = self._fold
        if fold is None or fold.newest is None:
            return None
        lots, marks = fold.account.positions, fold.account.marks
        return PortfolioState(
            fold.portfolio,
            fold.newest,
            fold.account.peak,
            lots,
            {symbol: marks[symbol] for symbol in lots},
            fold.carrying.figure,
            fold.carrying.recorded_at,
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
        unless it is there, then walk the closes: adopt decided closes, decide the others. In a
        chapter of another engine nothing is decided: the next one opens after what was adopted.
        Raises OtherChapter, OtherFold.
        """
        try:
            await self._walk()
        except CannotStart:
            await self.lane.hand_over()  # there may be somebody who can go on
            raise
        finally:
            await self._queries.close()

    async def _walk(self) -> None:
        await self.lane.acquire(self._standby.rest, self._engines.may_take)
        fold, history = await self._take_over(await self._chapters.standing(self.lane))
        while not fold.has_ended:
            if fold.ends_chapter:
                fold = await self._turn(fold)
            adopted = await anext(history, None)
            # Whoever asks need not wait for the next close.
            self._is_current = self.lane.is_folded
            if adopted is not None:
                await self._adopt(fold, adopted)
            elif fold.engine != self._chapters.engine:
                fold = await self._turn(fold)
            elif (due := await self._unless_replaced(fold.due())) is not None:
                await self._close(fold, due)
            else:
                return
            self._is_current = self.lane.is_folded

    async def _take_over(self, standing: Standing) -> tuple[ChapterFold, AsyncIterator[Stored]]:
        """Go on from what was adopted while standing by, or else from the chapter's beginning; with
        the decisions that are still to be adopted.
        """
        if (fold := await self._standby.fold_of(standing)) is not None:
            self._enter(fold)
            return fold, self.lane.history(fold.decided_at)
        newest, history = await self._history(standing)
        fold = ChapterFold(self._ports, standing, self._start, newest)
        self._enter(fold)
        self._is_current = self.lane.is_folded
        return fold, history

    async def _turn(self, before: ChapterFold) -> ChapterFold:
        """Into the next chapter."""
        standing = await self._open_next(before)
        await before.close()
        fold = ChapterFold(self._ports, standing, self._start, before.newest)
        self._enter(fold)
        return fold

    def _enter(self, fold: ChapterFold) -> None:
        self._fold, self._portfolio, self._wanted = fold, fold.portfolio, None
        self._queries.begin(fold.portfolio)
        if fold.carrying.figure is not None:
            self._queries.recorded(fold.carrying.figure)

    async def _history(self, standing: Standing) -> tuple[Decision | None, AsyncIterator[Stored]]:
        """The decision before the chapter, and its own that are in the lane, its opening passed
        over, with those of chapters before it in which nothing was decided.
        """
        if (carried := standing.carried) is None:
            return None, self.lane.history()
        newest, decided = None, carried_sequence(carried, self.lane.subject)
        if decided:
            (stored,) = await self._ports.bus.read(self.lane.subject, decided - 1, 1)
            newest = decode_decision(stored.message.payload)
        history, number = self.lane.history(decided), standing.number
        while (opened := await anext(history, None)) is not None:
            if opening_in(opened).number == number:
                return newest, history
        # It opened after this owner's mark: somebody else owns the lane since.
        raise LostOwnership(f"{self.lane.subject}: another owner has opened chapter {number}")

    async def _open_next(self, fold: ChapterFold) -> Standing:
        """With what is wanted, if whoever must load it can; else as it was."""
        carried, before, wanted = fold.carried(), fold.standing, self._wanted
        if wanted is not None:
            wanted = self._wishes.next(before, wanted, carried)
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

    async def _adopt(self, fold: ChapterFold, stored: Stored) -> None:
        """What an earlier owner decided. Raises OutOfStep, MisplacedOpening, Absurd, OtherFold."""
        await fold.adopt(stored)
        assert fold.newest is not None
        if (figure := fold.newest.value_at_risk) is not None:
            self._queries.recorded(figure)

    async def _close(self, fold: ChapterFold, due: Due) -> None:
        """Decide, publish and place; ask for a value at risk where it is time to."""
        heard = await self._unless_replaced(fold.hear(due, None, self._gate))
        cut = fold.cut(heard)
        decision = await self._decide(fold, due.close_time, cut)
        daily, lots = fold.carrying.daily, fold.account.positions
        factor = min(cut.multipliers, default=1.0)
        self._queries.decided(due.close_time, daily, lots, decision.equity, factor)
        fold.place(decision)
        if decision.value_at_risk is not None:
            self._queries.recorded(decision.value_at_risk)

    async def _unless_replaced(self, reading: Awaitable[Read]) -> Read:
        """What is read of a close that is not decided. Raises LostOwnership where somebody else has
        opened the next chapter, in which the others go on.
        """
        try:
            return await reading
        except (UnfitMessage, UnfitNoun):
            await self.lane.check_in_log()
            raise

    async def _decide(self, fold: ChapterFold, close_time: int, cut: Cut) -> Decision:
        """Decide and publish; a figure that arrived goes with it and weighs from the next close."""
        ends_chapter = await self._ends_chapter(fold)
        decide = fold.account.stop if self._wishes.stopped else fold.account.decide
        decision = replace(
            decide(close_time, cut),
            value_at_risk=self._queries.arrived(),
            chapter=fold.standing.number,
            ends_chapter=ends_chapter,
        )
        if decision.ended:
            decision = replace(decision, ends_chapter=False)
        identity = message_id(hop("orders").stream, self.lane.subject, close_time)
        stored = await self.lane.publish(identity, encode_decision(decision), close_time)
        fold.decided_at = stored.sequence
        return decision

    async def _ends_chapter(self, fold: ChapterFold) -> bool:
        """Whether the chapter is as long as it may be, another document is wanted, or symbols that
        are closing are sold; if there is anything after it. What is held may still change by this
        decision, so `_open_next` looks once more.
        """
        self._wanted = await self._wishes.wanted(fold.standing)
        if self._wanted is not None:
            coming = self._wishes.next(fold.standing, self._wanted, fold.carried())
            if coming is None or self._must_wait(fold, coming):
                self._wanted = None
        if self._wanted is None and fold.closes + 1 < self._closes_per_chapter:
            return False
        return await fold.goes_on()

    def _must_wait(self, fold: ChapterFold, wanted: Chapter) -> bool:
        """Whether a universe that gets other symbols is absent: its bars that are still to come are
        of those that it has.
        """
        changed = changed_universes(fold.standing.chapter, wanted) if fold.absent else ()
        return bool(set(changed) & set(fold.absent))


def _loading(before: Chapter, wanted: Chapter) -> tuple[str, ...]:
    """The services that must load what a document adds to the chapter before."""
    if changed_universes(before, wanted):
        return "market_data", "strategy"
    is_new = adds_models(before, wanted) or renewed_models(before, wanted)
    return ("strategy",) if is_new else ()
