"""logged_session: a session as its log alone tells it: document and bars.

Nothing beside the log is asked, so that nothing beside it can change what is found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from stratvector.runtime.run_clock import TimeMap
from stratvector.runtime.session_document import BadSession, SessionDocument
from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.benchmark import Benchmark
from stratvector.trading.caveats import Caveat
from stratvector.trading.chapters import Chapter
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.versions import with_versions

if TYPE_CHECKING:
    from stratvector.trading.session import History, Session
    from stratvector.trading.strategy import Strategy

FEED_DEADLINE_SECONDS = 20.0  # of bars that are recorded, which no feed is late with


@dataclass(frozen=True)
class LoggedSession:
    """The parts of a session that its chapter tells. Raises BadSession from any of them."""

    chapter: Chapter

    @property
    def portfolio(self) -> Portfolio:
        """Universes in the chapter's versions, models, limits, costs."""
        return with_versions(self._document.portfolio, self.chapter.bars)

    @property
    def start(self) -> int:
        """First close that may trade, ns UTC."""
        return self._document.start

    @property
    def closes(self) -> int | None:
        """How many closes trade; None where nobody knows an end."""
        return self._document.closes

    @property
    def last_close(self) -> int | None:
        """The last close, ns UTC; None where nobody knows an end."""
        return self._document.last_close

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What every report of the session says about its data."""
        return self._document.caveats

    @property
    def benchmark(self) -> Benchmark | None:
        """What results are compared with, None for buy and hold of all symbols."""
        return self._document.benchmark

    @property
    def risk_free_rate(self) -> float:
        """Effective, fraction per year."""
        return self._document.risk_free_rate

    @property
    def strategies(self) -> Mapping[str, "Strategy"]:
        """Per model of the portfolio, as they are installed here."""
        return self._document.strategies

    def strategy(self, model: str) -> "Strategy":
        """That of one model, as it is installed here; those of others need not be at hand."""
        return self._document.strategy(model)

    def is_other_source(self, model: str, strategy: "Strategy") -> bool:
        """Whether a model's strategy, as it is installed here, has another code than it had."""
        return self._document.is_other_source(model, strategy)

    @property
    def time_map(self) -> TimeMap | None:
        """How the run's UTC follows the machine's; None where it is the machine's."""
        return self._document.time_map

    def source(self, universe: str) -> Mapping[str, Any]:
        """Where a universe's bars came from: source, total_return, and how to load them again."""
        return self._document.source(universe)

    def deadline_seconds(self, universe: str) -> float:
        """How long after a close market_data waits for a universe's candles, seconds of the run."""
        load = self.source(universe)["load"] or {}
        return float(load.get("deadline_seconds", FEED_DEADLINE_SECONDS))

    def other_sources(self) -> Iterator[str]:
        """A sentence for each strategy whose code is another one here."""
        return self._document.other_sources()

    def whole(self, log: SessionLog) -> "Session":
        """The session as far as its log goes. Of a close that its bars promise or that is not
        complete, the bars are missing ones, so that every close before it is what it is in the
        whole session; of symbols that were added while it ran, those before are, and of symbols
        that have gone, those since. Universes that came or went have no close while they were not
        there; one of which none was used is left out. Raises BadSession where a universe that was
        there from the start on has no close since.
        """
        from stratvector.trading.session import Session

        universes = _all_universes(self.portfolio, log)
        names = {universe.name for universe in universes}
        models = tuple(one for one in self.portfolio.models if one.universe in names)
        portfolio = replace(self.portfolio, universes=universes, models=models)
        histories = {
            universe.name: self._history(universe, log) for universe in portfolio.universes
        }
        document = self._document
        return Session(
            portfolio,
            self.start,
            histories,
            self.strategies,
            self.caveats,
            # It may begin after what there is so far, and only results are compared with it.
            document.benchmark if log.is_complete else None,
            document.risk_free_rate,
        )

    @cached_property
    def _document(self) -> SessionDocument:
        place = f"chapter {self.chapter.number} of {self.chapter.portfolio}"
        document = SessionDocument.parsed(place, self.chapter.document)
        named = [universe.name for universe in document.portfolio.universes]
        if [one.universe for one in self.chapter.bars] != named:
            raise BadSession(f"{place}: its bars are not those of the universes {', '.join(named)}")
        if document.portfolio.name != self.chapter.portfolio:
            raise BadSession(f"{place}: its document is of portfolio {document.portfolio.name}")
        if document.portfolio.run != self.chapter.run:
            raise BadSession(f"{place}: its document is of run {document.portfolio.run}")
        return document

    def _history(self, of_universe: Universe, log: SessionLog) -> "History":
        from stratvector.trading.session import History

        universe, symbols = of_universe.name, of_universe.symbols
        closes = log.schedule.closes_of(universe)
        if not len(closes):
            raise BadSession(f"the log has no close of universe {universe} from the start on")
        warmup = [logged.noun.close_time for logged in log.warmup.get(universe, ())]
        times = np.array([*warmup, *closes.tolist()], np.int64)
        values = np.full((len(FIELDS), len(times), len(symbols)), np.nan)
        opened = times.copy()
        # Complete closes are the first ones of the schedule, so sections and rows go together.
        for row, section in enumerate(_sections(log, universe)):
            opened[row] = section.open_time
            # One that has gone may be in another universe now.
            there = [n for n, symbol in enumerate(section.symbols) if symbol in symbols]
            columns = [symbols.index(section.symbols[n]) for n in there]
            for n, field in enumerate(FIELDS):
                values[n, row, columns] = getattr(section, field)[there]
        bars = Bars(symbols, times, **dict(zip(FIELDS, values, strict=True)))
        of = _newest_with(universe, self, log).source(universe)
        return History(bars, opened, of["total_return"], of["source"], of["load"])


def _newest_with(universe: str, first: LoggedSession, log: SessionLog) -> LoggedSession:
    """The newest chapter that has a universe."""
    for one in reversed(log.chapters):
        if universe in {named.name for named in one.portfolio.universes}:
            return LoggedSession(one.noun)
    return first


def _all_universes(first: Portfolio, log: SessionLog) -> tuple[Universe, ...]:
    """Those of the newest chapter, each with the symbols that have gone after its own; and those
    that have gone, last of their accounts.
    """
    *earlier, newest = [first, *(chapter.portfolio for chapter in log.chapters)]
    known = set(newest.symbols)
    found = {one.name: replace(one, closing=()) for one in newest.universes}
    for universe in (one for portfolio in reversed(earlier) for one in portfolio.universes):
        there = found.get(universe.name, replace(universe, instruments=(), closing=()))
        added = (one for one in universe.instruments if one.symbol not in known)
        found[universe.name] = replace(there, instruments=(*there.instruments, *added))
        known |= set(universe.symbols)
    used = [one for one in found.values() if one.instruments and _is_used(one.name, log)]
    return tuple(sorted(used, key=lambda one: first.account_names.index(one.account)))


def _is_used(universe: str, log: SessionLog) -> bool:
    """Whether it was there in all chapters, or closed in some."""
    schedule = log.schedule
    return not log.chapters or (
        universe in schedule.universes and len(schedule.closes_of(universe)) > 0
    )


def _sections(log: SessionLog, universe: str) -> Iterator[ClosedBars]:
    yield from (logged.noun for logged in log.warmup[universe])
    closes = (*log.closes, *([log.undecided] if log.undecided else []))
    for close in closes:
        yield from (section for section in close.sections if section.universe == universe)


@lru_cache(maxsize=8)
def portfolio_of(chapter: Chapter) -> Portfolio:
    """The portfolio that a chapter's document describes. Raises BadSession."""
    return LoggedSession(chapter).portfolio
