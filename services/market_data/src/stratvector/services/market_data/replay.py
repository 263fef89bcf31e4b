"""Replay of recorded bars: one lane per universe, at most 64 closes ahead of the portfolio's
decisions.
"""

from stratvector.contracts.codecs import decode_closed_bars, encode_closed_bars
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import orders_reader
from stratvector.trading.flow import BARS_AHEAD_MAX, hop, subject
from stratvector.trading.identity import message_id
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.schedule import Schedule
from stratvector.trading.session import History


class ReplayLane:
    """Publishes one universe's history, warm-up first, close by close."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        universe: Universe,
        history: History,
        schedule: Schedule,
    ) -> None:
        self._universe, self._history, self._schedule = universe, history, schedule
        name = subject("bars", universe=universe.name, timeframe=universe.timeframe)
        self.lane = Lane(ports, name)
        service = f"market_data-{universe.name}"  # each universe watches decisions on its own
        self._decisions = orders_reader(ports, service, portfolio)
        self._decided = -1

    async def run(self) -> None:
        """Own the lane, adopt what is published, publish the rest."""
        await self.lane.acquire()
        published = -1
        async for stored in self.lane.history():
            published = decode_closed_bars(stored.message.payload).close_time
        for row, close_time in enumerate(self._history.bars.close_times.tolist()):
            if close_time > published:
                await self._wait_for_decisions(close_time)
                await self._publish(row, close_time)
        self.lane.release()

    async def _publish(self, row: int, close_time: int) -> None:
        opened = int(self._history.open_times[row])
        section = self._history.bars.closed(
            row, self._universe.name, self._universe.timeframe, open_time=opened
        )
        identity = message_id(hop("bars").stream, self.lane.subject, close_time)
        await self.lane.publish(identity, encode_closed_bars(section))

    async def _wait_for_decisions(self, close_time: int) -> None:
        """Hold back until decisions are at most `BARS_AHEAD_MAX` closes behind."""
        if close_time < self._schedule.close_times[0]:
            return
        place = self._schedule.index(close_time)
        while place - self._decided > BARS_AHEAD_MAX:
            decision = (await self._decisions.next()).noun
            self._decided = self._schedule.index(decision.close_time)
