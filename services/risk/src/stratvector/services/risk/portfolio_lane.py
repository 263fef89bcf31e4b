"""One portfolio's lane: bars, signals and fills of a close in, one decision out; before the first,
the chapter that says what all of them are a function of.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.chapters import ChapterWriter
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports, Stored
from stratvector.runtime.readers import (
    BarsReader,
    FillsReader,
    OutOfStep,
    signals_reader,
)
from stratvector.services.risk.portfolio_state import PortfolioState
from stratvector.services.risk.value_at_risk_queries import ValueAtRiskQueries
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import Chapter
from stratvector.trading.fills import FillsReport
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import orders_lane
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import Cut, Decision, ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals
from stratvector.trading.value_at_risk import multipliers


class PortfolioLane:
    """Publishes one decision per close of the portfolio, from `start` (ns UTC) on."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        chapter: Chapter,
        queries: ValueAtRiskQueries | None = None,
    ) -> None:
        self._portfolio = portfolio
        self._queries = queries or ValueAtRiskQueries(portfolio, None)
        self._newest: Decision | None = None
        self._figure: ValueAtRisk | None = None
        self._recorded_at = 0
        self.account = PortfolioAccount(portfolio)
        self.lane = Lane(ports, orders_lane(portfolio))
        self._chapter = ChapterWriter(ports, chapter)
        self._bars = BarsReader(ports, portfolio, start)
        self._fills = FillsReader(ports, portfolio)
        self._own = Own.of(portfolio)
        self._signals = {
            model.name: signals_reader(ports, portfolio, model.name) for model in portfolio.models
        }

    def state(self) -> PortfolioState | None:
        """The portfolio as of the newest decision; None before the first one."""
        if self._newest is None:
            return None
        lots, marks = self.account.positions, self.account.marks
        return PortfolioState(
            self._newest,
            self.account.peak,
            lots,
            {symbol: marks[symbol] for symbol in lots},
            self._figure,
            self._recorded_at,
            self._queries.trouble,
        )

    async def run(self) -> None:
        """Own the lane, open the chapter unless it is there, then walk the closes: adopt decided
        closes, decide the others. Raises OtherChapter.
        """
        try:
            await self._walk()
        finally:
            await self._queries.close()

    async def _walk(self) -> None:
        await self.lane.acquire()
        await self._chapter.open(self.lane)
        history = self.lane.history()
        while (due := await self._bars.due()) is not None:
            adopted = await self._adopted(history, due.close_time)
            await self._close(due.close_time, due.universes, adopted)

    async def _adopted(self, history: AsyncIterator[Stored], close_time: int) -> Decision | None:
        """What an earlier owner decided at a close, None beyond its last one. Raises OutOfStep,
        Absurd.
        """
        async for stored in history:
            decision = decode_decision(stored.message.payload)
            check_decision_of(decision, self._own)
            if decision.close_time != close_time:
                raise OutOfStep(self.lane.subject, close_time, decision.close_time)
            return decision
        return None

    async def _close(
        self, close_time: int, universes: tuple[str, ...], decision: Decision | None
    ) -> None:
        bars = await self._bars.at(close_time, universes)
        # Bars and signals may be far ahead; fills follow the decision before, so they come last.
        signals = await self._signals_at(close_time, universes)
        reports = await self._fills.until(close_time)
        for report in reports:
            report.take_up()
            for event in report.noun.events:
                self.account.settle(event)
        self.account.observe(
            close_time,
            [received.noun for received in bars],
            {model: received.noun for model, received in signals.items()},
        )
        self._queries.observe(close_time, [received.noun for received in bars])
        if decision is None:
            decision = await self._decide(close_time, self._cut(bars, signals, reports))
            factor = min(decision.cut.multipliers, default=1.0)
            self._queries.decided(close_time, self.account.positions, decision.equity, factor)
        self.account.place(decision)
        self._remember(decision)

    async def _decide(self, close_time: int, cut: Cut) -> Decision:
        """Decide and publish; a figure that arrived goes with it and weighs from the next close."""
        decision = self.account.decide(close_time, cut)
        if (figure := self._queries.arrived()) is not None:
            decision = replace(decision, value_at_risk=figure)
        identity = message_id(hop("orders").stream, self.lane.subject, close_time)
        await self.lane.publish(identity, encode_decision(decision), close_time)
        return decision

    def _remember(self, decision: Decision) -> None:
        self._newest = decision
        if (figure := decision.value_at_risk) is not None:
            self._figure, self._recorded_at = figure, decision.close_time
            self._queries.recorded(figure)

    async def _signals_at(
        self, close_time: int, universes: tuple[str, ...]
    ) -> dict[str, Logged[Signals]]:
        """The signals of every model whose universe closes."""
        return {
            model.name: await self._signals[model.name].at(close_time)
            for model in self._portfolio.models
            if model.universe in universes
        }

    def _cut(
        self,
        bars: Sequence[Logged[ClosedBars]],
        signals: Mapping[str, Logged[Signals]],
        reports: Sequence[Logged[FillsReport]],
    ) -> Cut:
        return Cut(
            bars={received.noun.universe: received.id for received in bars},
            signals={model: received.id for model, received in signals.items()},
            fills_sequence=reports[-1].sequence,
            multipliers=multipliers(self._portfolio, self._figure),
        )
