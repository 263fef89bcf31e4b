"""The portfolio's record: every close folded into one ledger entry, committed once, positions
published after fills.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from stratvector.contracts.codecs import decode_positions, encode_positions
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LedgerStore, Ports
from stratvector.runtime.readers import BarsReader, FillsReader, orders_reader, signals_reader
from stratvector.trading.fills import FillKind
from stratvector.trading.flow import hop, subject
from stratvector.trading.identity import message_id
from stratvector.trading.ledger import LedgerEntry, Positions
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule

MONEY_ON_WIRE = Decimal("0.00000001")


class PortfolioRecord:
    """Folds a portfolio's lanes close by close."""

    def __init__(
        self, ports: Ports, portfolio: Portfolio, schedule: Schedule, store: LedgerStore
    ) -> None:
        self._portfolio, self._schedule, self._store = portfolio, schedule, store
        self._fold = LedgerFold(portfolio)
        self.lane = Lane(ports, subject("positions", portfolio=portfolio.name))
        self._bars = BarsReader(ports, "ledger", portfolio)
        self._fills = FillsReader(ports, "ledger", portfolio)
        self._decisions = orders_reader(ports, "ledger", portfolio)
        self._signals = {
            model.name: signals_reader(ports, "ledger", portfolio.name, model.name)
            for model in portfolio.models
        }
        self._number = 0
        self._published = -1

    async def run(self) -> None:
        """Own the lane, then fold the log from its beginning; what is committed is not written
        again.
        """
        await self.lane.acquire()
        async for stored in self.lane.history():
            positions = decode_positions(stored.message.payload)
            self._number, self._published = positions.number + 1, positions.close_time
        committed = await self._store.last_close(self._portfolio.name)
        for index, close_time in enumerate(self._schedule.close_times.tolist()):
            entry = await self._entry(close_time, self._schedule.universes_at(index))
            if committed is None or close_time > committed:
                await self._store.commit(entry)
            if close_time > self._published and _traded(entry):
                await self._publish(entry)
        self.lane.release()

    async def _entry(self, close_time: int, universes: tuple[str, ...]) -> LedgerEntry:
        bars = await self._bars.at(close_time, universes)
        reports = await self._fills.until(close_time)
        signals = [
            (await self._signals[model.name].at(close_time)).noun
            for model in self._portfolio.models
            if model.universe in universes
        ]
        decision = (await self._decisions.at(close_time)).noun
        events = [event for report in reports for event in report.noun.events]
        return self._fold.fold(events, [b.noun for b in bars], signals, decision)

    async def _publish(self, entry: LedgerEntry) -> None:
        positions = Positions(
            entry.portfolio,
            entry.close_time,
            self._number,
            entry.positions,
            entry.cash.quantize(MONEY_ON_WIRE, ROUND_HALF_EVEN),
            entry.equity.quantize(MONEY_ON_WIRE, ROUND_HALF_EVEN),
        )
        identity = message_id(hop("positions").stream, self.lane.subject, entry.close_time)
        await self.lane.publish(identity, encode_positions(positions))
        self._number += 1


def _traded(entry: LedgerEntry) -> bool:
    return any(event.kind is FillKind.FILLED for event in entry.events)
