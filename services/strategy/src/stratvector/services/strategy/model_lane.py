"""One model's lane: bars in, signals out, its memory carried by its own messages."""

from typing import Protocol

from stratvector.contracts.codecs import decode_signals, encode_signals
from stratvector.runtime.bars_reader import UniverseReader
from stratvector.runtime.chapter_watch import ChapterWatch
from stratvector.runtime.chapters import Standing
from stratvector.runtime.lane import REST_SECONDS, Lane
from stratvector.runtime.logged_bars import bars_before, newest_before
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.taking import Taking
from stratvector.runtime.unfit_messages import UnfitMessage
from stratvector.trading.bad_strategy import BadStrategy
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried, CarriedModel
from stratvector.trading.chapters import FIRST
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import bars_lane, signals_lane
from stratvector.trading.live_model import LiveModel
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.chapters import check_chapter_number
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.signals import check_signals, check_signals_of
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import SignalRow, Signals
from stratvector.trading.strategy import Strategy
from stratvector.trading.versions import begins_anew

PATIENCE_SECONDS = 0.25  # between two looks for a chapter that opened


class ForeignSignals(UnfitMessage):
    """The lane holds signals of another universe or of a model with another memory."""

    def __init__(self, lane: str, signals: Signals, symbols: tuple[str, ...], numbers: int) -> None:
        found = ", ".join(row.symbol for row in signals.rows)
        super().__init__(
            f"{lane} holds signals of {found} with a state of {len(signals.state)} numbers; "
            f"this model is over {', '.join(symbols)} with {numbers}"
        )
        self.lane = lane


class ForeignState(CannotStart):
    """The chapter carries a memory that is not this model's."""

    def __init__(self, model: str, found: int, numbers: int) -> None:
        super().__init__(
            f"the chapter carries a state of {found} numbers for model {model}; it has {numbers}"
        )
        self.model = model


class BrokenStrategy(CannotStart):
    """The model's strategy gives what no run can use; another start would change nothing."""

    def __init__(self, model: str, error: BadStrategy) -> None:
        super().__init__(f"model {model}: {error}")
        self.model = model


class StrategyMissing(CannotStart):
    """The chapter names a strategy that is not installed here."""

    def __init__(self, model: str, error: BadSession) -> None:
        super().__init__(str(error))
        self.model = model


class Chapters(Protocol):
    """Who is told of chapters that this lane meets, and knows their strategies."""

    async def prepare(self, proposed: Standing) -> None:
        """One is proposed."""

    def take_up(self, standing: Standing) -> None:
        """One holds."""

    def strategy(self, standing: Standing | None, model: str) -> Strategy:
        """That which a chapter names, None for the first one. Raises BadSession."""


class ModelLane:
    """Publishes one model's signals at each close of its universe from `start` (ns UTC) on.

    When a chapter opens, the model goes back to the close before it and says again, in the new
    chapter, what it had said ahead. One that a chapter adds, or that has another strategy or a
    universe of other symbols there, begins as in a session that begins there, with as many bars
    before it as it needs. is_removed : a chapter no longer names it, so its part has ended.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        model: ModelAllocation,
        start: int,
        chapters: Chapters,
    ) -> None:
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._universe = portfolio.universe(model.universe)
        self._name = model.name
        self._own = Own.of(portfolio)
        self._published = -1
        self._rows: tuple[SignalRow, ...] = ()
        self.lane = Lane(ports, signals_lane(portfolio, model.name))
        self.is_removed = False
        self._look_at = 0.0
        self._told = chapters
        self._chapters = ChapterWatch(ports, portfolio, chapters.prepare)

    @property
    def rows(self) -> tuple[SignalRow, ...]:
        """The newest signals, adopted or published; none before the first."""
        return self._rows

    async def run(self) -> None:
        """Own the lane, then chapter by chapter adopt what is published, compute and publish the
        rest, until the portfolio's last close is decided or the model is removed. Raises
        StrategyMissing, BrokenStrategy, ForeignState.
        """
        taking = Taking(self._ports, "strategy", self._portfolio, self.lane.subject)
        await self.lane.acquire(may_take=taking.may_take)
        standing = await self._chapters.begin()
        while True:
            if standing is not None:
                self._told.take_up(standing)
                self.is_removed = self._name not in {m.name for m in standing.portfolio.active}
            if self.is_removed:
                self._rows = ()
                return
            await self._load(standing)
            opened = await self._begin(standing) or await self._live()
            await self._bars.close()
            if opened is None:
                return
            standing = opened

    async def _load(self, standing: Standing | None) -> None:
        """The strategy of a chapter. Raises StrategyMissing."""
        try:
            self._strategy = self._told.strategy(standing, self._name)
        except BadSession as error:
            await self.lane.hand_over()  # there may be somebody who has it
            raise StrategyMissing(self._name, error) from None

    async def _begin(self, standing: Standing | None) -> Standing | None:
        """Go on from what a chapter carries of this model; None is the first chapter. The next one,
        if it opens before there are bars of this one.
        """
        self._last_close: int | None = None
        if standing is not None:
            self._portfolio, self._own = standing.portfolio, Own.of(standing.portfolio)
            self.lane.engine = standing.chapter.engine_hash
            self._universe = self._portfolio.universe(self._universe.name)
        self._model, self._published = self._new_model(), -1
        self._chapter = FIRST if standing is None else standing.number
        carried = None if standing is None else standing.carried
        is_used = carried_sequence(carried, bars_lane(self._portfolio, self._universe)) > 0
        is_new = begins_anew(self._portfolio, self._universe, carried)
        self._bars = UniverseReader(self._ports, self._portfolio, self._universe, carried=carried)
        if carried is not None and (is_used or is_new):
            newest, opened = await self._newest_before(carried)
            if opened is not None:
                return opened
            await self._recall(carried, is_new, newest)
        async for stored in self.lane.history(carried_sequence(carried, self.lane.subject)):
            self._adopt(decode_signals(stored.message.payload))
        return None

    async def _newest_before(self, carried: Carried) -> tuple[int, Standing | None]:
        """The last message of bars up to the chapter's beginning; those of a version that begins
        with it are waited for, unless another chapter opens meanwhile, or none will.
        """
        of = (self._ports.bus, self._portfolio, self._universe, carried)
        while (newest := await newest_before(*of)) is None:
            if (opened := await self._chapters.opened()) is not None:
                return 0, opened
            if await self._chapters.has_ended():
                return 0, None
            await self._ports.clock.sleep(REST_SECONDS)
        return newest, None

    async def _recall(self, carried: Carried, is_new: bool, newest: int) -> None:
        """The model as it was at the chapter's beginning: its memory after the newest signals that
        were used, and what it made of the bars since, whose signals came too late. is_new : the
        bars are of other symbols than it was over, so of what it knew only its weights go on.
        newest : the last message of bars up to there.
        Raises ForeignState, BrokenStrategy.
        """
        ports, portfolio, universe = self._ports, self._portfolio, self._universe
        own = carried.model(self._name)
        added_after = carried.bars_until(universe.name)
        until = added_after if own is None or is_new else own.close_time
        lengths = self._strategy.history, until
        before, since = await bars_before(ports.bus, portfolio, universe, newest, *lengths)
        for section in before:
            self._model.observe(section)
        if own is not None:
            self._go_on_from(own, is_new)
        for section in since:
            self._model.observe(section)
            rows = self._rows_now()
            if section.close_time >= self._start:
                self._model.remember(rows)
            await ports.clock.sleep(0.0)  # there may be a chapter of them
        self._published = (before + since)[-1].close_time if before or since else -1
        if (next_close := carried.next_closes.get(universe.name)) is not None:
            self._note_end(self._published, next_close)

    def _go_on_from(self, own: CarriedModel, is_new: bool) -> None:
        """Raises ForeignState."""
        numbers = len(self._model.state)
        if is_new or (numbers and not own.state):
            self._model.hold(own)
        elif len(own.state) != numbers:
            raise ForeignState(self._name, len(own.state), numbers)
        else:
            self._model.begin(own)

    async def _live(self) -> Standing | None:
        """Signals of one chapter, until the next one opens; None when there is none after it."""
        while True:
            # Who was away has many bars at hand, and the chapter may be over that they are read in.
            if self._looks_now() and (opened := await self._chapters.opened()) is not None:
                return opened
            while not self._bars.at_hand():
                if (opened := await self._chapters.opened()) is not None:
                    return opened
                if await self._chapters.has_ended():
                    return None
                if self._last_close is None:
                    await self._bars.look(PATIENCE_SECONDS)
                elif await self._chapters.has_decided(self._last_close):
                    return None
                else:
                    await self._ports.clock.sleep(PATIENCE_SECONDS)
            received = await self._bars.next()
            await self._on_bars(received)
            self._note_end(received.noun.close_time, received.noun.next_close)

    def _looks_now(self) -> bool:
        now = self._ports.clock.monotonic_seconds()
        if now < self._look_at:
            return False
        self._look_at = now + PATIENCE_SECONDS
        return True

    def _note_end(self, close_time: int, next_close: int) -> None:
        """The universe's last close, once its bars say that it is."""
        if not next_close:
            self._last_close = close_time

    def _new_model(self) -> LiveModel:
        try:
            return LiveModel(self._strategy, self._universe.symbols)
        except BadStrategy as error:
            raise BrokenStrategy(self._name, error) from None

    def _adopt(self, signals: Signals) -> None:
        """Go on from what an earlier owner left; what he said before the chapter opened he has to
        say again. Raises ForeignSignals, Absurd.
        """
        if signals.chapter < self._chapter:
            return
        if not self._model.fits(signals):
            raise ForeignSignals(
                self.lane.subject, signals, self._universe.symbols, len(self._model.state)
            )
        check_chapter_number(signals.chapter, self._chapter)
        check_signals_of(signals, self._own, self._name)
        self._published, self._rows = signals.close_time, signals.rows
        self._model.adopt(signals)

    def _rows_now(self) -> tuple[SignalRow, ...]:
        try:
            return self._model.rows()
        except BadStrategy as error:
            raise BrokenStrategy(self._name, error) from None

    async def _on_bars(self, received: Logged[ClosedBars]) -> None:
        section = received.noun
        self._model.observe(section)
        if section.close_time <= self._published:
            return
        rows = self._rows_now()
        if section.close_time < self._start:
            return
        signals = Signals(
            self._portfolio.name,
            self._name,
            self._strategy.version,
            section.close_time,
            rows,
            self._model.state,
            received.id,
            self._chapter,
        )
        # What every reader would refuse is not published: the model's own lane says why.
        check_signals(signals)
        check_signals_of(signals, self._own, self._name)
        self._model.remember(rows)
        stream, close_time = hop("signals").stream, section.close_time
        identity = message_id(stream, self.lane.subject, self._chapter, close_time)
        await self.lane.publish(identity, encode_signals(signals), close_time)
        self._published, self._rows = close_time, rows
