"""One broker account's lane: decisions in, the broker's word out. It closes every close of the
portfolio, and carries out the orders of its own symbols.

    claim (SENDING, fenced)  ─▶  send  ─▶  record (ACCEPTED, REJECTED, UNKNOWN …)  ─▶  match at the
    next close

What a broker outside the log may do is on record before and after. The simulated broker is a fold
of the log: nothing of it can be lost, so claims and outcomes travel with the next close's matches
when its bars are there already, in one message instead of three.

An order that an earlier owner claimed is never sent: the broker is asked, and if it does not know
the order after its settle time, the order is abandoned. The next decision plans anew under a new
id. Nor is an order sent that has expired while it waited.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from stratvector.contracts.codecs import decode_fills_report, encode_fills_report
from stratvector.runtime.bars_reader import BarsReader
from stratvector.runtime.chapters import Standing, newest_chapter, opened_chapter
from stratvector.runtime.deployment import ABSENT_AFTER_DEADLINES
from stratvector.runtime.fills_reader import AccountFillsReader, FillsReader
from stratvector.runtime.holds import HeldLane
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Acknowledgement, Broker, BrokerUnknown, Clock, Kind, Ports
from stratvector.runtime.readers import OrdersReader, carried_sequence
from stratvector.runtime.run_clock import RunClock
from stratvector.runtime.taking import Taking
from stratvector.services.execution.bars_gate import NONE_YET, BarsGate, silence_seconds
from stratvector.services.execution.closes import (
    Closes,
    FollowedCloses,
    JudgedCloses,
    ReplayedCloses,
)
from stratvector.services.execution.order_log import OrderLog, OrderState
from stratvector.services.execution.order_meter import OrderMeter
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Chapter, Opened
from stratvector.trading.executions import cancelled
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import fills_lane
from stratvector.trading.meaning.fills import check_next_report, check_report_of
from stratvector.trading.meaning.means import AccountMeans
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import ApprovedOrder, Cancel, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import has_deadlines
from stratvector.trading.ticks import Tick, TickBars

HOLD_SECONDS = 0.005  # how long the simulated broker's word may wait for the next close's bars
MESSAGES_RECALLED = 1_000  # of the account's lane before the chapter that an owner starts with
SETTLE_SECONDS = 2.0  # how long a broker may take to show an order that it accepted

Answer = TypeVar("Answer")
Named = TypeVar("Named", ApprovedOrder, Cancel)


class AccountLane:
    """Publishes claims, outcomes and closes of one account of a portfolio.

    start : the first close that may trade, ns UTC. chapter : the first one. run_clock : the run's
    UTC, which decides whether an order may still be sent to a broker outside the log. meter : None
    where nobody measures. absent_after_deadlines : how many of market_data's deadlines a universe
    may be silent while others have bars, in a run that has deadlines.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        account: str,
        start: int,
        chapter: Chapter,
        broker: Broker,
        run_clock: RunClock,
        meter: OrderMeter | None = None,
        absent_after_deadlines: float = ABSENT_AFTER_DEADLINES,
    ) -> None:
        self._meter, self._approved_at, self._trace_id = meter, 0, ""
        self._released_at = 0
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._account = account
        self._first, self._broker = chapter, broker
        self._absent_after_deadlines = absent_after_deadlines
        self._clock: Clock = ports.clock
        self._run_clock = run_clock
        self.lane = Lane(ports, fills_lane(portfolio, account))
        self._log = OrderLog()
        self._own = Own.of(portfolio)
        self._unpublished: list[FillEvent] = []
        self._unheard: deque[FillsReport] = deque()  # no decision has used them yet
        self._published = 0
        self._closed = NONE_YET
        self._recorded = deque[Tick]()  # closes that are published, to be taken
        self._begin(None)

    async def run(self) -> None:
        """Own the lane, unless it is held, fold it from the newest chapter on, walk the closes."""
        portfolio = self._portfolio
        taking = Taking(self._ports, "execution", portfolio, self.lane.subject)
        held = HeldLane(self._ports, portfolio, self.lane, taking.may_take)
        await self.lane.acquire(may_take=held.may_take)
        self._released_at = held.released_at
        standing = await newest_chapter(self._ports.bus, portfolio.run, portfolio.name)
        await self._recover(standing)
        while (bars := await self._next_bars()) is not None:
            await self._close(bars)
            received = await self._decisions.at(bars.close_time)
            if isinstance(received, Opened):
                await self._turn(received)
                continue
            decision, self._approved_at = received.noun, received.stored.stored_at
            self._trace_id = received.stored.message.trace_id
            self._heard(decision.close_time)
            await self._hear_others(decision.close_time)
            orders, cancels = self._ours(decision.orders), self._ours(decision.cancels)
            await self._execute(decision.close_time, orders, cancels, decision)
            self._log.forget_ended(orders)
            if decision.ended:
                break
            if decision.ends_chapter:
                await self._turn(await self._decisions.opening())
        await self._publish_all()

    def _begin(self, standing: Standing | None) -> None:
        """Read on where a chapter begins; None is the first one."""
        carried = None if standing is None else standing.carried
        if standing is not None:
            self._portfolio, self._own = standing.portfolio, Own.of(standing.portfolio)
            self.lane.engine = standing.chapter.engine_hash
        self._chapter = FIRST if standing is None else standing.number
        ports, portfolio = self._ports, self._portfolio
        self._broker.begin(portfolio, carried)
        self._bars = BarsReader(ports, portfolio, self._start, carried=carried)
        self._closes = self._closes_of(self._first if standing is None else standing.chapter)
        parts = (ports, portfolio, True, self._chapter, carried)
        self._others = FillsReader(*parts, apart=self._account)
        self._decisions = OrdersReader(ports, portfolio, chapter=self._chapter, carried=carried)
        self._means = AccountMeans(portfolio, carried)

    def _closes_of(self, chapter: Chapter) -> Closes:
        if not has_deadlines(self._portfolio.run):
            return ReplayedCloses(self._bars, self._recorded)
        leading = self._portfolio.account_names[0]
        newest = NONE_YET if chapter.carried is None else chapter.carried.close_time
        if self._account != leading:
            parts = (self._ports, self._portfolio, leading, True, self._chapter, chapter.carried)
            return FollowedCloses(self._bars, AccountFillsReader(*parts), newest)
        seconds = silence_seconds(chapter, self._absent_after_deadlines)
        gate = BarsGate(self._clock, self._bars, seconds, newest)
        return JudgedCloses(self._bars, gate, self._recorded)

    async def _recover(self, standing: Standing | None) -> None:
        """What a chapter carries, then the lane since; orders that it carries and that nobody has
        claimed are sent, the others are asked for.
        """
        carried = None if standing is None else standing.carried
        self._begin(standing)
        if carried is not None:
            self._log.begin(one for one in carried.orders if self._is_ours(one.order.symbol))
            self._published = carried.account(self._account).reports
            self._closed = carried.close_time
            await self._recall_executions(carried)
        async for stored in self.lane.history(carried_sequence(carried, self.lane.subject)):
            report = decode_fills_report(stored.message.payload)
            check_report_of(report, self._own, self._account)
            check_next_report(report, self._published)
            self._fold(report)
            if report.closed is not None:
                self._recorded.append(Tick.of_report(report))
        if carried is not None:
            await self._execute_carried(carried)

    async def _recall_executions(self, carried: Carried) -> None:
        """Executions before the chapter, which a broker may tell once more."""
        if not self._broker.is_external:
            return
        newest = carried_sequence(carried, self.lane.subject)
        for stored in await self._ports.bus.read(
            self.lane.subject, max(0, newest - MESSAGES_RECALLED), MESSAGES_RECALLED
        ):
            if stored.sequence <= newest and stored.message.kind is Kind.CONTENT:
                self._log.remember(decode_fills_report(stored.message.payload).events)

    async def _execute_carried(self, carried: Carried) -> None:
        """Orders of earlier decisions are found before the last decision's cancels meet them."""
        orders, close_time = self._ours([one.order for one in carried.orders]), carried.close_time
        await self._execute(close_time, [o for o in orders if o.decided_at < close_time], ())
        newest = [order for order in orders if order.decided_at == close_time]
        await self._execute(close_time, newest, self._ours(carried.cancels))
        self._log.forget_ended(orders)

    async def _turn(self, opened: Opened) -> None:
        """Into the chapter that opens after the decision that was executed last. Orders and the
        broker's memory of them go on; what is read and what the account is worth begins anew.
        """
        standing = await opened_chapter(self._ports.bus, opened, self._portfolio.run)
        for reader in (self._bars, self._decisions, self._closes, self._others):
            await reader.close()
        # A close that is published and not decided is taken again, in the chapter that opened.
        self._recorded.clear()
        self._recorded.extend(
            Tick.of_report(one) for one in self._unheard if one.closed is not None
        )
        self._begin(standing)
        for report in self._unheard:
            for event in report.events:
                self._means.settle(event)

    def _is_ours(self, symbol: str) -> bool:
        return self._own.accounts[symbol] == self._account

    def _ours(self, named: Sequence[Named]) -> list[Named]:
        """Those of the symbols that are traded at this account."""
        return [one for one in named if self._is_ours(one.symbol)]

    async def _hear_others(self, close_time: int) -> None:
        """What the other accounts have done up to a close that is decided: all of it is there."""
        for report in await self._others.until(close_time):
            for event in report.noun.events:
                self._means.settle(event)

    def _heard(self, close_time: int) -> None:
        """The decision of a close has used every report up to that close."""
        while self._unheard and self._unheard.popleft().closed != close_time:
            pass

    async def _next_bars(self) -> TickBars | None:
        """Those of the next close; what is unpublished travels with it if they are here soon."""
        if self._unpublished and not await self._closes.look(HOLD_SECONDS):
            await self._publish_all()
        return await self._closes.next()

    async def _close(self, bars: TickBars) -> None:
        """Match and publish what the close did to the working orders, once."""
        for section in bars.sections:
            self._means.observe(section)
        if bars.close_time > self._closed:
            events = await self._answer(partial(self._broker.events_until, bars))
            await self._publish(self._log.unrecorded(events), bars)

    async def _put(self, events: Sequence[FillEvent]) -> None:
        """Publish events at once if they tell of the world outside the log."""
        self._unpublished.extend(events)
        if self._broker.is_external:
            await self._publish_all()

    async def _publish_all(self) -> None:
        if self._unpublished:
            await self._publish([])

    async def _execute(
        self,
        close_time: int,
        orders: Sequence[ApprovedOrder],
        cancels: Sequence[Cancel],
        decision: Decision | None = None,
    ) -> None:
        """Cancel, then claim and send, or find out about, every order of a decision, or of what a
        chapter carries.

        decision : theirs, to be held against the account's means; None for one that was. Raises
        Absurd before anything of it is done, when an order is beyond them.
        """
        fresh = [o for o in orders if self._log.state(o) is OrderState.NEW]
        if decision is not None:
            self._means.check(decision, fresh)
        known = [
            o for o in orders if self._log.state(o) in (OrderState.CLAIMED, OrderState.ACCEPTED)
        ]
        # What a broker was asked or told and is not on record would be asked and told again.
        with self.lane.held():
            outcomes = await self._cancel(close_time, cancels)
            await self._put([self._event(FillKind.SENDING, order) for order in fresh])
            for order in known:
                outcomes.extend(await self._find_out(order))
            for order in fresh:
                outcomes.extend(await self._send(order))
            await self._put(outcomes)

    async def _cancel(self, close_time: int, cancels: Sequence[Cancel]) -> list[FillEvent]:
        events = []
        for cancel in cancels:
            if not self._log.is_open(cancel.order_id):
                continue
            self.lane.check_ownership()
            if await self._answer(partial(self._broker.cancel, cancel.order_id)):
                events.append(cancelled(cancel.order_id, cancel.symbol, close_time))
        return events

    async def _send(self, order: ApprovedOrder) -> list[FillEvent]:
        """Send an order that this owner has just claimed, unless it has expired meanwhile."""
        self.lane.check_ownership()
        if self._broker.is_external and order.decided_at < self._run_clock.at(self._released_at):
            return [await self._ask(order)]  # it may have been sent after the backup was made
        if self._has_expired(order):
            return [self._event(FillKind.EXPIRED, order, "it expired before it was sent")]
        try:
            answer = await self._broker.send(order, self.lane.epoch)
        except BrokerUnknown as error:
            unknown = self._event(FillKind.UNKNOWN, order, str(error))
            outcome = await self._ask(order)
            if outcome.kind is not FillKind.ABANDONED:
                self._acknowledged()
            return [unknown, outcome]
        self._acknowledged()
        return [self._outcome(order, answer)]

    def _has_expired(self, order: ApprovedOrder) -> bool:
        """Whether it is too late by the clock: an owner that was away may find orders that nobody
        has sent. At the simulated broker, and in a replay, orders live in event time alone.
        """
        is_timed = self._broker.is_external and has_deadlines(self._portfolio.run)
        return is_timed and 0 < order.expires_at <= self._run_clock.now()

    def _acknowledged(self) -> None:
        if self._meter is not None:
            self._meter.acknowledged(self._approved_at, self._trace_id)

    async def _find_out(self, order: ApprovedOrder) -> list[FillEvent]:
        """An order of an earlier owner: ask, never send.

        What the log says was accepted stays so when the broker no longer finds it: its executions
        come with a close.
        """
        if self._log.state(order) is not OrderState.ACCEPTED:
            return [await self._ask(order)]
        answer = await self._answer(partial(self._broker.find, order))
        return [] if answer is None or answer.accepted else [self._outcome(order, answer)]

    async def _ask(self, order: ApprovedOrder) -> FillEvent:
        """What the broker knows of an order, now or after its settle time."""
        for patience in (SETTLE_SECONDS, 0.0):
            answer = await self._answer(partial(self._broker.find, order))
            if answer is not None:
                return self._outcome(order, answer)
            if patience:
                await self._clock.sleep(patience)
        return self._event(FillKind.ABANDONED, order, "the broker does not know the order")

    async def _answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until the broker answers: what may be asked twice is never given up unasked."""
        while True:
            try:
                return await ask()
            except BrokerUnknown:
                await self._clock.sleep(SETTLE_SECONDS)

    def _outcome(self, order: ApprovedOrder, answer: Acknowledgement) -> FillEvent:
        kind = FillKind.ACCEPTED if answer.accepted else FillKind.REJECTED
        return self._event(kind, order, answer.text)

    def _event(self, kind: FillKind, order: ApprovedOrder, text: str = "") -> FillEvent:
        at, epoch = order.decided_at, self.lane.epoch
        return FillEvent(kind, order.order_id, order.symbol, epoch=epoch, known_time=at, text=text)

    async def _publish(self, news: Sequence[FillEvent], bars: TickBars | None = None) -> None:
        """Publish what is still unpublished, then what is new. bars : of the close that it closes,
        None for none.
        """
        events = (*self._unpublished, *news)
        report = FillsReport(
            self._portfolio.name,
            self._account,
            self._published,
            events,
            None if bars is None else bars.close_time,
            self._chapter,
        )
        if bars is not None and self._names_bars:
            report = replace(report, bars=bars.named, late=bars.named_late)
        identity = message_id(hop("fills").stream, self.lane.subject, self._published)
        about = report.closed or max(event.known_time for event in events)
        await self.lane.publish(identity, encode_fills_report(report), about)
        self._unpublished.clear()
        if self._meter is not None:
            self._meter.published(events)
        self._fold(report)

    @property
    def _names_bars(self) -> bool:
        is_leading = self._account == self._portfolio.account_names[0]
        return is_leading and has_deadlines(self._portfolio.run)

    def _fold(self, report: FillsReport) -> None:
        self._log.fold(report.events)
        self._unheard.append(report)
        for event in report.events:
            self._means.settle(event)
        self._published = report.number + 1
        if report.closed is not None:
            self._closed = report.closed
