"""live: the session as its lanes tell it now: what the console shows and /ws is told.

Bounded whatever the session's length, but for a row per chapter: the newest of each state, a few
hundred happenings, and a curve of at most a thousand points. Its state can be kept, so a restart
reads on from there and comes to the same.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stratvector.contracts.codecs import (
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    decode_positions,
    decode_signals,
)
from stratvector.runtime.chapters import portfolio_in
from stratvector.runtime.ports import Stored
from stratvector.services.gateway import event_bodies
from stratvector.services.gateway.account import Account, AccountState
from stratvector.services.gateway.causes import Causes, CausesState
from stratvector.services.gateway.chapters import ChapterRow, Chapters
from stratvector.services.gateway.curve import Curve, CurveState
from stratvector.services.gateway.events import Hub, KeptState
from stratvector.services.gateway.following import decoded
from stratvector.services.gateway.marks import Mark, Marks
from stratvector.services.gateway.words import fill_text, halt_text, order_text
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import Chapter
from stratvector.trading.fills import FillKind
from stratvector.trading.instruments import Instrument
from stratvector.trading.lanes import bars_lane
from stratvector.trading.ledger import Positions
from stratvector.trading.meaning.fills import check_report_of
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.positions import check_positions_of
from stratvector.trading.meaning.rules import check_known
from stratvector.trading.meaning.signals import check_signals_of
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.roles import Role
from stratvector.trading.versions import begins_anew

HAPPENINGS_MAX = 200
TOLD = frozenset(FillKind) - {FillKind.SENDING, FillKind.ACCEPTED}


@dataclass(frozen=True)
class Happening:
    """One line of the flow of events. symbol : empty = of the portfolio. text : for people."""

    noun: str
    close_time: int
    symbol: str
    text: str


@dataclass(frozen=True)
class LiveState:
    """All that a session knows from its lanes, at any moment between two batches. others : models
    that the chapter carries and its document does not name. gone : terms of symbols that its
    portfolio has no more. begins_after : see `LiveSession`.
    """

    chapter: Chapter | None
    others: tuple[ModelAllocation, ...]
    gone: tuple[Instrument, ...]
    chapters: tuple[ChapterRow, ...]
    curve: CurveState
    account: AccountState
    marks: dict[str, Mark]
    causes: CausesState
    counts: dict[str, int]
    decision: Decision | None
    positions: Positions | None
    last_closes: dict[str, int]
    happenings: tuple[Happening, ...]
    told: tuple[KeptState, ...]
    begins_after: dict[str, int]


class LiveSession:
    """What the gateway knows from the lanes.

    portfolio : as the newest chapter's document describes it. closes : of the whole session, None
    where nobody knows an end. counts : messages per noun; of orders and fills, orders and
    executions. decision : the newest. positions : the newest that were published. account : entry
    prices and halts. chapters : those that have opened. version : another one after each change.
    begins_after : lane of bars whose version began with a chapter -> the close before it, ns UTC.
    on_chapter : told of each chapter that opens.
    """

    def __init__(self, portfolio: Portfolio, closes: int | None, hub: Hub) -> None:
        self.portfolio, self.closes, self._hub = portfolio, closes, hub
        self.instruments = {i.symbol: i for i in portfolio.instruments}
        self._own = self._ever = Own.of(portfolio)
        self._own_in: dict[int, Own] = {}  # by chapter
        self._chapter: Chapter | None = None
        self.chapters = Chapters()
        self.curve = Curve(float(portfolio.initial_cash))
        self.account = Account(portfolio)
        self.marks = Marks(self.instruments)
        self._causes = Causes(self.instruments, portfolio.model_names)
        self.counts: Counter[str] = Counter()
        self.decision: Decision | None = None
        self.positions: Positions | None = None
        self._last_closes: dict[str, int] = {}  # of universes that never close again
        self.happenings: deque[Happening] = deque(maxlen=HAPPENINGS_MAX)
        self.version = 0
        self.begins_after: dict[str, int] = {}
        self.on_chapter: Callable[[Portfolio], None] = lambda portfolio: None

    @property
    def state(self) -> Literal["waiting", "running", "finished"]:
        """waiting : no close is decided yet. finished : the last close is, and there comes none."""
        if self.decision is None:
            return "waiting"
        if self.decision.ended:
            return "finished"
        last = [self._last_closes.get(one.name) for one in self.portfolio.universes]
        is_last = None not in last and self.decision.close_time == max(map(int, filter(None, last)))
        return "finished" if is_last else "running"

    def open_chapter(self, chapter: Chapter) -> None:
        """What its document says holds from the next decision on. Raises BadSession."""
        portfolio = portfolio_in(chapter)
        for universe in portfolio.universes:
            lane = bars_lane(portfolio, universe)
            if chapter.carried and begins_anew(portfolio, universe, chapter.carried):
                self.begins_after.setdefault(lane, chapter.carried.close_time)
        self._hold(chapter, portfolio)
        self._hub.publish(event_bodies.chapter(self.chapters.open(chapter), self.portfolio.name))
        self.on_chapter(self.portfolio)

    def _hold(self, chapter: Chapter, portfolio: Portfolio) -> None:
        own = Own.of(portfolio)
        if own != self._own:
            self._own = own
        self.portfolio, self._own_in[chapter.number] = portfolio, self._own
        # Marks and causes hold the same mapping.
        self.instruments |= {one.symbol: one for one in portfolio.instruments}
        # Fills and positions of a symbol may be read after the chapter in which it has gone.
        sizes = {symbol: one.lot_size for symbol, one in self.instruments.items()}
        accounts = {**self._ever.accounts, **own.accounts}
        self._ever = replace(own, lot_sizes=sizes, accounts=accounts)
        self._causes.models = portfolio.model_names
        self._chapter = replace(chapter, carried=None)
        self.account.hold(portfolio)
        self.version += 1

    @property
    def kept(self) -> LiveState:
        """What `resume` goes on from."""
        return LiveState(
            chapter=self._chapter,
            others=tuple(one for one in self.portfolio.models if one.role is not Role.ACTIVE),
            gone=tuple(
                one for one in self.instruments.values() if one.symbol not in self._own.lot_sizes
            ),
            chapters=tuple(self.chapters.rows),
            curve=self.curve.state,
            account=self.account.state,
            marks=self.marks.known,
            causes=self._causes.state,
            counts=dict(self.counts),
            decision=self.decision,
            positions=self.positions,
            last_closes=dict(self._last_closes),
            happenings=tuple(self.happenings),
            told=self._hub.states(),
            begins_after=dict(self.begins_after),
        )

    def resume(self, kept: LiveState) -> None:
        """Go on from another session's state, of the same log. Raises BadSession."""
        self.begins_after = dict(kept.begins_after)
        self.curve.resume(kept.curve)
        self.account.resume(kept.account)
        self.chapters.resume(kept.chapters, kept.chapter)
        if kept.chapter is not None:
            self.instruments |= {one.symbol: one for one in kept.gone}
            named = portfolio_in(kept.chapter)
            self._hold(kept.chapter, replace(named, models=(*named.models, *kept.others)))
        self.marks.resume(kept.marks)
        self._causes.resume(kept.causes)
        self.counts = Counter(kept.counts)
        self.decision, self.positions = kept.decision, kept.positions
        self._last_closes = dict(kept.last_closes)
        self.happenings.extend(kept.happenings)
        self._hub.resume(kept.told)

    @property
    def absent(self) -> tuple[str, ...]:
        """Universes that the newest decision went without."""
        return () if self.decision is None else self.decision.cut.absent

    def begin_with(self, carried: Carried) -> None:
        """Begin with what the newest chapter that was opened here carries; what was before it is
        not to be had.
        """
        self.curve.begin_at(carried.last_equity, carried.peak)
        self.account.begin_with(carried)

    def take_bars(self, batch: Sequence[Stored]) -> None:
        """Cross-sections of one version of a universe; of one that was replaced, nothing but how
        many there are is told.
        """
        self._count("bars", len(batch))
        lanes = {bars_lane(self.portfolio, universe) for universe in self.portfolio.universes}
        if batch[-1].message.subject not in lanes:
            return
        sections = list(decoded(batch[-1:], decode_closed_bars))
        check_known("universe", [sections[-1].universe], self._own.universes)
        check_known("symbol", sections[-1].symbols, self._own.universes[sections[-1].universe])
        self._hub.publish(event_bodies.bars(sections[-1], self.instruments, len(batch) - 1))
        if not sections[-1].next_close:
            self._last_closes[sections[-1].universe] = sections[-1].close_time
        self.marks.take(decoded(batch[::-1], decode_closed_bars))

    def take_signals(self, batch: Sequence[Stored]) -> None:
        """Signals of one model."""
        self._count("signals", len(batch))
        for signals in decoded(batch[-1:], decode_signals):
            # What was said in a chapter before the kept one is not held against it.
            if (own := self._own_in.get(signals.chapter)) is not None:
                check_signals_of(signals, own, signals.model)
            self._hub.publish(event_bodies.signals(signals, len(batch) - 1))

    def take_decisions(self, batch: Sequence[Stored]) -> None:
        """Decisions of the portfolio."""
        for decision in decoded(batch, decode_decision):
            check_decision_of(decision, self._own)
            self.curve.append(decision.close_time, decision.equity)
            self._count("orders", len(decision.orders))
            self.account.take_decision(decision)
            self.chapters.take(decision)
            self.decision = decision
            if decision.orders or decision.cancels:
                self._tell_orders(decision)
            self._causes.take(decision)
        self._tell_fills()
        self._settle()
        self._tell_equity(len(batch) - 1)

    def take_fills(self, batch: Sequence[Stored]) -> None:
        """Reports of one account."""
        account = batch[0].message.subject.rsplit(".", 1)[-1]
        for report in decoded(batch, decode_fills_report):
            check_report_of(report, self._ever, account)
            for event in report.events:
                self._count("fills", int(event.kind is FillKind.FILLED))
                if event.kind is FillKind.FILLED:
                    self.account.take_fill(event)
                if event.kind in TOLD:
                    self._causes.wait(event, event.known_time or report.closed or 0)
            if report.closed is not None:
                self.account.close_read(account, report.closed)
        self._tell_fills()
        if self._settle():
            self._tell_equity(0)

    def take_positions(self, batch: Sequence[Stored]) -> None:
        """Holdings after closes with executions."""
        self._count("positions", len(batch))
        for held in decoded(batch[-1:], decode_positions):
            newest = 0 if self.positions is None else self.positions.close_time
            check_positions_of(held, self._ever, newest)
            self.positions = held
            self._hub.publish(event_bodies.positions(held, self.instruments))

    def knows_signals(self, stored: Stored) -> bool:
        """Whether the chapter that signals name has opened here; lanes are read one by one."""
        return self._knows(decode_signals(stored.message.payload).chapter)

    def knows_fills(self, stored: Stored) -> bool:
        """The same of a report."""
        return self._knows(decode_fills_report(stored.message.payload).chapter)

    def knows_positions(self, stored: Stored) -> bool:
        """Whether the close of positions is decided here: they are of its chapter's symbols."""
        close_time = decode_positions(stored.message.payload).close_time
        return self.decision is not None and close_time <= self.decision.close_time

    def _knows(self, chapter: int) -> bool:
        return self._chapter is not None and chapter <= self._chapter.number

    def _settle(self) -> bool:
        """Tell the halts that began or ended; whether any did."""
        changed = self.account.settle()
        for halt, begins in changed:
            self._hub.publish(event_bodies.halt(halt, begins, self.portfolio.name))
            close_time = halt.since if begins else halt.until or halt.since
            self._note("halts", close_time, "", halt_text(halt, begins))
        self.version += bool(changed or self.account.lasting)
        return bool(changed)

    def _tell_equity(self, skipped: int) -> None:
        if self.decision is not None:
            event = event_bodies.equity(self.decision, self.curve, self.account, skipped)
            self._hub.publish(event)

    def _count(self, noun: str, messages: int) -> None:
        self.counts[noun] += messages
        self.version += 1

    def _tell_orders(self, decision: Decision) -> None:
        self._hub.publish(
            event_bodies.orders(decision, self.instruments, self.portfolio.model_names)
        )
        for order in decision.orders:
            text = order_text(order, self.instruments[order.symbol])
            self._note("orders", decision.close_time, order.symbol, text)
        for cancel in decision.cancels:
            self._note("orders", decision.close_time, cancel.symbol, "cancel")

    def _tell_fills(self) -> None:
        for event, close_time, cause in self._causes.told():
            instrument = self.instruments[event.symbol]
            self._hub.publish(event_bodies.fill(event, close_time, instrument, cause))
            self._note("fills", close_time, event.symbol, fill_text(event, instrument))

    def _note(self, noun: str, close_time: int, symbol: str, text: str) -> None:
        self.happenings.append(Happening(noun, close_time, symbol, text))
