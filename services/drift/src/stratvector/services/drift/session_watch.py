"""The session's models, watched: bars and signals folded close by close, scored on a schedule.

A follower: it reads its lanes by the page, a moment behind, wakes nobody and writes nothing into
the flow. What it knows is a function of the log. It keeps what it has folded at each chapter's
opening, so a start reads on from there and finds the same scores; only where nothing is kept, it
reads the log from its first message on.
"""

import math
from dataclasses import dataclass, replace

from stratvector.drift import DriftRules, ModelDrift, ModelWatch, SeriesState, WatchState
from stratvector.runtime.chapter_changes import renewed_models
from stratvector.runtime.chapters import (
    Standing,
    is_readable,
    oldest_readable,
    opened_chapter,
    opened_chapters,
)
from stratvector.runtime.decided_closes import DecidedCloses
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.signals_reader import SignalsReader, pass_over_late, used_signals
from stratvector.runtime.snapshots import Snapshots
from stratvector.services.drift.board import Board, ModelRecord
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Chapter, Opened
from stratvector.trading.lanes import orders_lane
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.roles import Role
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND

NANOSECONDS_PER_HOUR = 3_600 * NANOSECONDS_PER_SECOND
# A long log is at hand all at once: orders are more urgent than its record of last year.
REST_CLOSES = 32
REST_SECONDS = 0.005


FOLD = 2  # another number folds otherwise, and goes on from nothing that this one has kept


@dataclass(frozen=True)
class SessionState:
    """The watch where a chapter opens, over its models. chapter : the id of its content. watches :
    one for each of the records. records, checks : the board. checked_until : the newest close that
    was looked at, ns UTC.
    """

    chapter: str
    watches: tuple[WatchState, ...]
    records: tuple[ModelRecord, ...]
    checks: int
    checked_until: int | None


class UnknownModel(LookupError):
    """A model that the session does not have; the message is one sentence."""

    def __init__(self, model: str, models: tuple[str, ...]) -> None:
        super().__init__(
            f"there is no model {model!r} in this session: there are {', '.join(models)}"
        )
        self.model, self.models = model, models


class SessionWatch:
    """Watches every model of a portfolio. board : what the checks of the schedule found."""

    def __init__(self, ports: Ports, portfolio: Portfolio, start: int, rules: DriftRules) -> None:
        self._clock, self._portfolio = ports.clock, portfolio
        self.rules = rules
        self._every = rules.every_hours * NANOSECONDS_PER_HOUR
        self._ports, self._start = ports, start
        self._watches: dict[str, ModelWatch] = {}
        self._checked_until: int | None = None
        self._chapter: Chapter | None = None  # that holds; None while it may be the first one
        self.board = Board()
        self._watch(portfolio)

    async def run(self) -> None:
        """Fold the session to its end, from the chapter at whose opening a state was kept last."""
        await self._find_beginning()
        taken = 0
        while (decided := await self._closes.next()) is not None:
            # What was used of a model is what a decision names, in the chapter that it names.
            if isinstance(decided, Opened):
                await self._turn(decided)
                continue
            decision = decided.noun
            await self._take(decision)
            if self._is_due(decision.close_time):
                self._check_all()
            if decision.ended:
                return
            if decision.ends_chapter:
                await self._turn(await self._closes.opening())
            await self._clock.sleep(0.0 if taken % REST_CLOSES else REST_SECONDS)
            taken += 1

    async def _turn(self, opened: Opened) -> None:
        """Into the chapter that has opened; what is known then is kept."""
        standing = await opened_chapter(self._ports.bus, opened, self._portfolio.run)
        before = self._chapter or await self._first_chapter()
        self._begin(standing)
        for name in renewed_models(before, standing.chapter):
            self._watches[name].begin_anew()
        await self._snapshots.keep(self._state(standing))

    async def _find_beginning(self) -> None:
        """Begin where a kept state is from, else at the log's beginning, else with the oldest
        chapter that the log still has; what was before that one is then unknown.
        """
        bus, run, name = self._ports.bus, self._portfolio.run, self._portfolio.name
        opened = await opened_chapters(bus, run, name)
        log = opened[0].id if opened else ""
        self._snapshots = Snapshots(
            self._ports, "drift", self._portfolio, SessionState, f"{FOLD} {self.rules}", log
        )
        kept = await self._snapshots.load()
        begun = {one.id: one for one in opened}.get("" if kept is None else kept.chapter)
        if kept is None or begun is None or not await self._is_readable(begun):
            kept, begun = None, await oldest_readable(bus, run, name)
        self._begin(begun)
        if kept is not None:
            self._resume(kept)
        elif begun is not None and begun.carried is not None:
            for model in self._portfolio.active:
                self._watches[model.name].begin_with(self._series(model, begun.carried))

    async def _first_chapter(self) -> Chapter:
        """It opens before any other one."""
        portfolio = self._portfolio
        opened = await opened_chapters(self._ports.bus, portfolio.run, portfolio.name)
        return opened[0].chapter

    async def _is_readable(self, standing: Standing) -> bool:
        lane, carried = orders_lane(self._portfolio), standing.carried
        return carried is not None and await is_readable(
            self._ports.bus, lane, carried_sequence(carried, lane)
        )

    def _state(self, standing: Standing) -> SessionState:
        watches = tuple(watch.state for watch in self._watches.values())
        board = self.board
        return SessionState(
            standing.id, watches, board.records(), board.checks, self._checked_until
        )

    def _resume(self, kept: SessionState) -> None:
        """Models that were removed before are watched no more, and were kept."""
        universes = {model.name: model.universe for model in self._portfolio.models}
        self._watches = {}
        for record, state in zip(kept.records, kept.watches, strict=True):
            name = universes[record.model]
            universe = self._portfolio.universe(name) if name else None
            symbols = universe.symbols if universe else ()  # with its universe nothing more comes
            self._watches[record.model] = ModelWatch(record.model, symbols, self.rules)
            self._watches[record.model].go_on_over(symbols, universe.closing if universe else ())
            self._watches[record.model].resume(state)
        self.board.resume(kept.records, kept.checks)
        self._checked_until = kept.checked_until

    def _series(self, model: ModelAllocation, carried: Carried) -> SeriesState:
        """A model's book as a chapter carries it."""
        symbols = {one.symbol: one for one in carried.symbols}
        own = [symbols.get(name) for name in self._portfolio.universe(model.universe).symbols]
        cells = [
            next((cell for cell in (one.cells if one else ()) if cell.model == model.name), None)
            for one in own
        ]
        return SeriesState(
            marks=tuple(one.mark or math.nan if one else math.nan for one in own),
            held=tuple(0.0 if cell is None else cell.held_weight for cell in cells),
            missing=tuple(0 if cell is None else cell.missing for cell in cells),
            warm=True,
        )

    def _begin(self, standing: Standing | None) -> None:
        """Read on where a chapter begins; None is the first one."""
        if standing is not None:
            self._portfolio = standing.portfolio
            self._chapter = replace(standing.chapter, carried=None)
        ports, portfolio = self._ports, self._portfolio
        number = FIRST if standing is None else standing.number
        carried = None if standing is None else standing.carried
        self._watch(portfolio)
        self._closes = DecidedCloses(ports, portfolio, self._start, number, carried)
        self._signals = {
            model.name: SignalsReader(ports, portfolio, model.name, True, number, carried)
            for model in portfolio.active
        }

    def _watch(self, portfolio: Portfolio) -> None:
        """Every model that sends signals, over the symbols of its universe."""
        for model in (one for one in portfolio.models if one.universe):
            universe = portfolio.universe(model.universe)
            if model.name not in self._watches and model.role is Role.ACTIVE:
                self._watches[model.name] = ModelWatch(model.name, universe.symbols, self.rules)
                self.board.add(model.name)
            if model.name in self._watches:
                self._watches[model.name].go_on_over(universe.symbols, universe.closing)

    def check(self, model: str) -> tuple[ModelDrift, ...]:
        """Where a model stands at its newest close, beside the schedule; every one for "".

        Raises UnknownModel.
        """
        return tuple(self._watches[name].drift() for name in self._asked(model))

    def scores(self, model: str) -> tuple[ModelDrift, ...]:
        """What the newest check of the schedule found of a model, or of every one for "".

        Models that were never checked are left out. Raises UnknownModel.
        """
        records = (self.board.record(name) for name in self._asked(model))
        return tuple(record.drift for record in records if record.drift is not None)

    async def _take(self, decision: Decision) -> None:
        bars = await self._closes.bars(decision)
        closing = {one.noun.universe: one.noun for one in bars.closing}
        models = self._portfolio.signalling(closing)
        pass_over_late(self._signals, self._portfolio, bars.late)
        used = await used_signals(self._signals, models, decision)
        for late in bars.late:
            for model in self._portfolio.signalling([late.noun.universe]):
                self._watches[model.name].take_late(late.noun)
        # Nobody is answered from a close that is folded by half.
        for model in models:
            said = used.get(model.name)
            self._watches[model.name].take(
                closing[model.universe], None if said is None else said.noun
            )

    def _is_due(self, close_time: int) -> bool:
        """Whether this is the first close at or after a multiple of the interval."""
        before, self._checked_until = self._checked_until, close_time
        return before is None or close_time // self._every > before // self._every

    def _check_all(self) -> None:
        for name, watch in self._watches.items():
            known = self.board.record(name).drift
            # Between two closes of its universe there is nothing new of a model.
            if watch.close_time and (known is None or known.close_time < watch.close_time):
                self.board.put(watch.drift())

    def _asked(self, model: str) -> tuple[str, ...]:
        names = tuple(self._watches)
        if model and model not in names:
            raise UnknownModel(model, names)
        return (model,) if model else names
