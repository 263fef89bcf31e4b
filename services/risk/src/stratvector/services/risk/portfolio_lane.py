"""One portfolio's lane: bars, signals and fills of a close in, one decision out."""

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import (
    BarsReader,
    FillsReader,
    Received,
    account_lane,
    signals_reader,
)
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import ClosedBars
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule
from stratvector.trading.signals import Signals


class PortfolioLane:
    """Publishes one decision per close of the portfolio's schedule."""

    def __init__(self, ports: Ports, portfolio: Portfolio, schedule: Schedule) -> None:
        self._portfolio, self._schedule = portfolio, schedule
        self.account = PortfolioAccount(portfolio, schedule)
        self.lane = Lane(ports, account_lane("orders", portfolio))
        self._bars = BarsReader(ports, "risk", portfolio)
        self._fills = FillsReader(ports, "risk", portfolio)
        self._signals = {
            model.name: signals_reader(ports, "risk", portfolio.name, model.name)
            for model in portfolio.models
        }
        self._adopted: dict[int, Decision] = {}

    async def run(self) -> None:
        """Own the lane, then walk the schedule: adopt decided closes, decide the others."""
        await self.lane.acquire()
        async for stored in self.lane.history():
            decision = decode_decision(stored.message.payload)
            self._adopted[decision.close_time] = decision
        for index, close_time in enumerate(self._schedule.close_times.tolist()):
            await self._close(close_time, self._schedule.universes_at(index))
        self.lane.release()

    async def _close(self, close_time: int, universes: tuple[str, ...]) -> None:
        bars = await self._bars.at(close_time, universes)
        reports = await self._fills.until(close_time)
        for report in reports:
            for event in report.noun.events:
                self.account.settle(event)
        signals = await self._signals_at(close_time, universes)
        self.account.observe(
            close_time,
            [received.noun for received in bars],
            {model: received.noun for model, received in signals.items()},
        )
        decision = self._adopted.pop(close_time, None)
        if decision is None:
            cut = self._cut(bars, signals, reports[-1].sequence)
            decision = self.account.decide(close_time, cut)
            identity = message_id(hop("orders").stream, self.lane.subject, close_time)
            await self.lane.publish(identity, encode_decision(decision))
        self.account.place(decision)

    async def _signals_at(
        self, close_time: int, universes: tuple[str, ...]
    ) -> dict[str, Received[Signals]]:
        """The signals of every model whose universe closes."""
        return {
            model.name: await self._signals[model.name].at(close_time)
            for model in self._portfolio.models
            if model.universe in universes
        }

    def _cut(
        self,
        bars: list[Received[ClosedBars]],
        signals: dict[str, Received[Signals]],
        fills_sequence: int,
    ) -> Cut:
        return Cut(
            bars={received.noun.universe: received.id for received in bars},
            signals={model: received.id for model, received in signals.items()},
            fills_sequence=fills_sequence,
            multipliers=tuple(1.0 for _ in self._portfolio.models),
        )
