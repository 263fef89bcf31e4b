"""chapter_fold: a portfolio in one chapter, as a fold of the log: what each close brings, then what
was decided at it. The owner of the orders lane decides over it; a standby adopts with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from stratvector.contracts.codecs import decode_decision
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.bars_reader import BarsReader, Due
from stratvector.runtime.chapters import Standing
from stratvector.runtime.fills_reader import FillsReader, named_tick
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import Received
from stratvector.runtime.signals_reader import SignalsReader, pass_over_late, used_signals
from stratvector.runtime.unfit_messages import MisplacedOpening, refuse_other_close
from stratvector.services.risk.signals_gate import SignalsGate
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.fills import FillsReport
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.chapters import check_chapter_number
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import LATE, Cut, Decision
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.runs import has_deadlines
from stratvector.trading.signals import Signals
from stratvector.trading.ticks import TickBars
from stratvector.trading.timestamps import utc_text
from stratvector.trading.used_bars import ABSENT
from stratvector.trading.value_at_risk import multipliers


@dataclass(frozen=True)
class Heard:
    """What a close's decision uses. models : whose universe closes. signals : theirs, by name, late
    ones left out.
    """

    bars: TickBars
    models: Sequence[ModelAllocation]
    signals: Mapping[str, Logged[Signals]]
    reports: Sequence[Received[FillsReport]]


class OtherFold(CannotStart):
    """The account that is folded here is not the one that an adopted decision was made for."""

    def __init__(
        self, standing: Standing, decision: Decision, equity: float, is_halted: bool
    ) -> None:
        engine, close = standing.chapter.engine_hash, utc_text(decision.close_time)
        logged, here = _told(decision.equity, decision.halted), _told(equity, is_halted)
        super().__init__(
            f"chapter {standing.number} of {decision.portfolio} was decided by engine {engine}; at "
            f"{close} the log has {logged} and this engine comes to {here}: go on with the version "
            "that decided it"
        )


def _told(equity: float, is_halted: bool) -> str:
    return f"equity {equity!r}{' and a halt' if is_halted else ''}"


class ChapterFold:
    """Close by close: `due`, `hear`, then `place` its decision. In a run with deadlines execution's
    report says which close is next and what bars it has; in a replay the bars do.

    start : the first close that may trade, ns UTC. newest : the decision before the chapter, if it
    is known; from then on the newest. follows : reads the log page by page until it is to `listen`.
    closes : how many of the chapter are decided. decided_at : the newest one's place in its lane.
    """

    def __init__(
        self,
        ports: Ports,
        standing: Standing,
        start: int,
        newest: Decision | None = None,
        follows: bool = False,
    ) -> None:
        portfolio, carried = standing.portfolio, standing.carried
        self.standing, self.portfolio = standing, portfolio
        self.newest, self.closes, self.decided_at = newest, 0, 0
        self.account = PortfolioAccount(portfolio, carried)
        self.carrying = Carrying(portfolio, carried)
        self._own = Own.of(portfolio)
        number = standing.number
        self._bars = BarsReader(ports, portfolio, start, follows, carried)
        self._has_deadlines = has_deadlines(portfolio.run)
        self._heard_until = -1 if carried is None else carried.close_time
        self._absent: tuple[str, ...] = ()
        self._reports: Sequence[Received[FillsReport]] = ()  # of a close that is not heard yet
        self._fills = FillsReader(ports, portfolio, follows, number, carried)
        self._signals = {
            model.name: SignalsReader(ports, portfolio, model.name, follows, number, carried)
            for model in portfolio.active
        }

    @property
    def engine(self) -> str:
        """Hash of the engine that decides in this chapter."""
        return self.standing.chapter.engine_hash

    @property
    def has_ended(self) -> bool:
        """Whether the portfolio's last decision is made."""
        return self.newest is not None and self.newest.ended

    @property
    def ends_chapter(self) -> bool:
        """Whether its newest decision is the chapter's last."""
        return self.closes > 0 and self.newest is not None and self.newest.ends_chapter

    def carried(self) -> Carried:
        """What a chapter begins with that opens after the newest decision."""
        return self.account.carried(self.carrying)

    async def due(self) -> Due | None:
        """The portfolio's next close, None when there is none."""
        if not self._has_deadlines:
            return await self._bars.due()
        if not self._reports:
            ended = partial(self._bars.have_ended, self._heard_until)
            self._reports = await self._fills.after(self._heard_until, ended)
        if not self._reports:
            return None
        tick = named_tick(self._reports)
        closing = [name for name, used in tick.bars.items() if used != ABSENT]
        return Due(tick.close_time, tuple(closing))

    async def goes_on(self) -> bool:
        """Whether a close certainly follows the one that was heard; asked before its decision."""
        if self._has_deadlines:
            return self._bars.promise_after(self._heard_until)
        return await self._bars.due() is not None

    @property
    def absent(self) -> tuple[str, ...]:
        """Universes of which no bars came in time at the close that was heard last."""
        return self._absent

    async def adopt(self, stored: Stored) -> None:
        """A decision that is in the log. Raises what `decision_in` and the readers raise."""
        due = await self.due()
        AT_HAND.set(stored)  # what says which close is next was read since
        decision = self.decision_in(stored, 0 if due is None else due.close_time)
        assert due is not None, "no decision is of close 0"
        await self.hear(due, decision)
        self._refuse_other_fold(decision)
        self.place(decision)

    def _refuse_other_fold(self, decision: Decision) -> None:
        """What another engine decided, from a book that this one can't come to, is not gone on
        from. Raises OtherFold.
        """
        found = (self.account.equity, self.account.is_halted)
        if found != (decision.equity, decision.halted):
            raise OtherFold(self.standing, decision, *found)

    def decision_in(self, stored: Stored, close_time: int) -> Decision:
        """That of a close (ns UTC), and from now on its place. Raises OutOfStep, MisplacedOpening,
        Absurd.
        """
        lane = stored.message.subject
        if stored.message.kind is Kind.OPENED:
            raise MisplacedOpening(f"{lane} opens a chapter in the middle of one")
        decision = decode_decision(stored.message.payload)
        check_decision_of(decision, self._own)
        check_chapter_number(decision.chapter, self.standing.number)
        refuse_other_close(lane, close_time, decision.close_time)
        self.decided_at = stored.sequence
        return decision

    async def hear(
        self, due: Due, adopted: Decision | None, gate: SignalsGate | None = None
    ) -> Heard:
        """Settle and observe a close. adopted : its decision, whose word it is what came in time.
        gate : who judges it where there is none yet, in a run with deadlines.
        """
        bars = await self._bars_of(due)
        models = self.portfolio.signalling(bars.universes)
        pass_over_late(self._signals, self.portfolio, bars.late)
        signals, reports = await self._signals_and_reports(due.close_time, models, adopted, gate)
        for report in reports:
            report.take_up()
            for event in report.noun.events:
                self.account.settle(event)
        self.carrying.hear(due.close_time, bars.logged, signals, reports)
        nouns = {name: received.noun for name, received in signals.items()}
        self.account.observe(
            due.close_time,
            [received.noun for received in bars.closing],
            {model.name: nouns.get(model.name) for model in models},
            [received.noun for received in bars.late],
        )
        self._heard_until, self._absent = due.close_time, bars.absent
        return Heard(bars, models, signals, reports)

    async def _bars_of(self, due: Due) -> TickBars:
        if self._has_deadlines:
            return await self._bars.named(named_tick(self._reports))
        closing = await self._bars.at(due.close_time, due.universes)
        return TickBars(due.close_time, tuple(closing))

    def cut(self, heard: Heard) -> Cut:
        """The record of what a decision uses."""
        signals = heard.signals
        return Cut(
            bars=heard.bars.named,
            signals={
                model.name: signals[model.name].id if model.name in signals else LATE
                for model in heard.models
            },
            fills_sequence=max(report.sequence for report in heard.reports),
            multipliers=multipliers(self.portfolio, self.carrying.figure),
            late=heard.bars.named_late,
        )

    def place(self, decision: Decision) -> None:
        """The decision of the close that was heard, which stands at `decided_at`."""
        self.account.place(decision)
        self.carrying.place(decision, self.decided_at)
        self.newest = decision
        self.closes += 1

    async def listen(self) -> None:
        """From now on hear each message as it comes, where this fold only followed."""
        for reader in self._readers():
            await reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        for reader in self._readers():
            await reader.close()

    def _readers(self) -> Sequence[BarsReader | FillsReader | SignalsReader]:
        return [self._bars, self._fills, *self._signals.values()]

    async def _signals_and_reports(
        self,
        close_time: int,
        models: Sequence[ModelAllocation],
        adopted: Decision | None,
        gate: SignalsGate | None,
    ) -> tuple[Mapping[str, Logged[Signals]], Sequence[Received[FillsReport]]]:
        used: Mapping[str, Logged[Signals]]
        if adopted is not None:
            used = await used_signals(self._signals, models, adopted)
        elif gate is None or not self._has_deadlines:
            used = {model.name: await self._signals[model.name].at(close_time) for model in models}
        else:
            # All is there but signals: from here on they are waited for.
            used = await gate.in_time(self._signals, close_time, models)
        # In a replay bars and signals may be far ahead; fills follow the decision before, so they
        # come last.
        reports, self._reports = self._reports or await self._fills.until(close_time), ()
        return used, reports
