"""The session's models, watched: bars and signals folded close by close, scored on a schedule.

A follower: it reads its lanes by the page, a moment behind, wakes nobody and writes nothing. What
it knows is a function of the log, so a start after a crash reads the log again and finds the same
scores.
"""

from stratvector.drift import DriftRules, ModelDrift, ModelWatch
from stratvector.runtime.chapters import Standing, opened_chapter
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import BarsReader, OrdersReader, SignalsReader
from stratvector.services.drift.board import Board
from stratvector.trading.chapters import FIRST
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND

NANOSECONDS_PER_HOUR = 3_600 * NANOSECONDS_PER_SECOND
# A long log is at hand all at once: orders are more urgent than its record of last year.
REST_CLOSES = 32
REST_SECONDS = 0.005


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
        self._checked_until: int | None = None  # the newest close that was looked at
        self.board = Board()
        self._begin(None)

    async def run(self) -> None:
        """Fold the session from its beginning to its end."""
        taken = 0
        while (due := await self._bars.due()) is not None:
            # What was used of a model is what a decision names, in the chapter that it names.
            decision = (await self._decisions.at(due.close_time)).noun
            await self._take(due.close_time, due.universes)
            if self._is_due(due.close_time):
                self._check_all()
            if decision.ended:
                return
            if decision.ends_chapter:
                opened = await self._decisions.opening()
                self._begin(await opened_chapter(self._ports.bus, opened, self._portfolio.run))
            await self._clock.sleep(0.0 if taken % REST_CLOSES else REST_SECONDS)
            taken += 1

    def _begin(self, standing: Standing | None) -> None:
        """Read on where a chapter begins; None is the first one."""
        if standing is not None:
            self._portfolio = standing.portfolio
        ports, portfolio = self._ports, self._portfolio
        number = FIRST if standing is None else standing.number
        carried = None if standing is None else standing.carried
        for model in portfolio.active:
            if model.name not in self._watches:
                symbols = portfolio.universe(model.universe).symbols
                self._watches[model.name] = ModelWatch(model.name, symbols, self.rules)
                self.board.add(model.name)
        self._bars = BarsReader(ports, portfolio, self._start, True, carried)
        self._decisions = OrdersReader(ports, portfolio, True, number, carried)
        self._signals = {
            model.name: SignalsReader(ports, portfolio, model.name, True, number, carried)
            for model in portfolio.active
        }

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

    async def _take(self, close_time: int, universes: tuple[str, ...]) -> None:
        received = await self._bars.at(close_time, universes)
        bars = {one.noun.universe: one.noun for one in received}
        models = self._portfolio.signalling(bars)
        signals = [(await self._signals[model.name].at(close_time)).noun for model in models]
        # Nobody is answered from a close that is folded by half.
        for model, said in zip(models, signals, strict=True):
            self._watches[model.name].take(bars[model.universe], said)

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
