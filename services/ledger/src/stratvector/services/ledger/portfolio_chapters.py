"""portfolio_chapters: a portfolio as each of its chapters describes it, to explain its past."""

from dataclasses import replace

from stratvector.runtime.chapters import opened_chapters
from stratvector.runtime.ports import Bus
from stratvector.trading.chapters import FIRST
from stratvector.trading.instruments import Instrument
from stratvector.trading.lanes import chapters_lane
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.roles import MANUAL, Role


class PortfolioChapters:
    """Of one portfolio in one run. first : its first chapter's. bus : None where there is no log to
    ask, beside a database at rest; then limits and budgets are those of the first chapter.
    """

    def __init__(self, first: Portfolio, bus: Bus | None = None) -> None:
        self.first, self._bus = first, bus
        self._known = {FIRST: first}
        self._read_until = 0

    @property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol, of every chapter that was read, with the terms of the newest that has it."""
        portfolios = [self._known[number] for number in sorted(self._known)]
        return {one.symbol: one for portfolio in portfolios for one in portfolio.instruments}

    async def read(self) -> None:
        """What has opened since it was read last. Raises OtherChapter, BadMessage."""
        first, known = self.first, dict(self._known)
        last = None if self._bus is None else await self._bus.last(chapters_lane(first))
        if self._bus is None or last is None or last.sequence == self._read_until:
            return
        for standing in await opened_chapters(self._bus, first.run, first.name, self._read_until):
            known[standing.number] = standing.portfolio
            self._read_until = standing.sequence
        self._known = known

    def at(self, entry: LedgerEntry) -> Portfolio:
        """The portfolio that a decision was made for, with its models in the order of the entry's
        parts. Of a chapter that is not to be had, what the one before it says.
        """
        there = [number for number in self._known if number <= entry.decision.chapter]
        portfolio = self._known[max(there)]
        names = tuple(one.model for one in entry.models)
        if portfolio.model_names == names:
            return portfolio
        known = {model.name: model for model in portfolio.models}
        unknown = {name: ModelAllocation(name, "", 0.0, _role(name)) for name in names}
        return replace(portfolio, models=tuple((unknown | known)[name] for name in names))


def _role(name: str) -> Role:
    return Role.KEEPING if name == MANUAL else Role.CLOSING
