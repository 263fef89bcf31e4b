"""logged_session: a session as its log alone tells it: document, closes and bars.

Nothing beside the log is asked, so that nothing beside it can change what is found.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stratvector.runtime.session_document import BadSession, SessionDocument
from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.benchmark import Benchmark
from stratvector.trading.caveats import Caveat
from stratvector.trading.chapters import Chapter
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule, merge

if TYPE_CHECKING:
    from stratvector.trading.session import History, Session
    from stratvector.trading.strategy import Strategy


@dataclass(frozen=True)
class LoggedSession:
    """The parts of a session that its chapter tells. Raises BadSession from any of them."""

    chapter: Chapter

    @property
    def portfolio(self) -> Portfolio:
        """Universes, models, limits, costs."""
        return self._document.portfolio

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

    @cached_property
    def schedule(self) -> Schedule:
        """The merged close times from `start` on."""
        closes = {one.universe: np.array(one.close_times, np.int64) for one in self.chapter.bars}
        return merge({name: times[times >= self.start] for name, times in closes.items()})

    def source(self, universe: str) -> Mapping[str, Any]:
        """Where a universe's bars came from: source, total_return, and how to load them again."""
        return self._document.source(universe)

    def other_sources(self) -> Iterator[str]:
        """A sentence for each strategy whose code is another one here."""
        return self._document.other_sources()

    def whole(self, log: SessionLog) -> "Session":
        """The session with the bars of its log; those that the log does not hold yet are missing
        bars, so that every close up to there is what it is in the whole session.
        """
        from stratvector.trading.session import Session

        histories = {
            universe.name: self._history(universe.name, _sections(log, universe.name))
            for universe in self.portfolio.universes
        }
        document = self._document
        return Session(
            self.portfolio,
            self.start,
            histories,
            self.strategies,
            self.caveats,
            document.benchmark,
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

    def _history(self, universe: str, sections: Iterable[ClosedBars]) -> "History":
        from stratvector.trading.session import History

        symbols = self.portfolio.universe(universe).symbols
        times = np.array(self.chapter.bars_of(universe).close_times, np.int64)
        rows = {close_time: row for row, close_time in enumerate(times.tolist())}
        values = np.full((len(FIELDS), len(times), len(symbols)), np.nan)
        opened = times.copy()
        for section in sections:
            # A close that the chapter does not have is told by the hash of the bars.
            if (row := rows.get(section.close_time)) is not None and section.symbols == symbols:
                opened[row] = section.open_time
                for n, field in enumerate(FIELDS):
                    values[n, row] = getattr(section, field)
        bars = Bars(symbols, times, **dict(zip(FIELDS, values, strict=True)))
        of = self._document.source(universe)
        return History(bars, opened, of["total_return"], of["source"], of["load"])


def _sections(log: SessionLog, universe: str) -> Iterator[ClosedBars]:
    yield from (logged.noun for logged in log.warmup[universe])
    closes = (*log.closes, *([log.undecided] if log.undecided else []))
    yield from (close.bars[universe].noun for close in closes if universe in close.bars)
