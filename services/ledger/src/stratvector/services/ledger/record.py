"""The portfolio's record: every close folded into one ledger entry, committed once, positions
published after fills: the newest ones, when several closes are at hand.
"""

from collections.abc import Sequence

from stratvector.contracts.codecs import decode_positions, encode_positions
from stratvector.runtime.chapters import (
    Standing,
    newest_chapter,
    oldest_readable,
    opened_chapter,
)
from stratvector.runtime.decided_closes import DecidedCloses
from stratvector.runtime.fills_reader import FillsReader
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LedgerStore, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import Received
from stratvector.runtime.signals_reader import SignalsReader, pass_over_late, used_signals
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import FIRST, Opened
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import positions_lane
from stratvector.trading.ledger import LedgerEntry, positions_of
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.meaning.means import AccountMeans
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.positions import check_positions_of
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import ExcessExecution, StrayExecution


class PortfolioRecord:
    """Folds a portfolio's lanes close by close, from `start` (ns UTC) on."""

    def __init__(self, ports: Ports, portfolio: Portfolio, start: int, store: LedgerStore) -> None:
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._store, self._own = store, Own.of(portfolio)
        self.lane = Lane(ports, positions_lane(portfolio))
        self._number = 0
        self._published = -1
        self._due: LedgerEntry | None = None  # its positions are to be published

    async def run(self) -> None:
        """Own the lane, then fold the log from the newest chapter that begins within what is
        committed; that is not written again. It ends when the last close is in the database.
        """
        await self.lane.acquire()
        await self._recall_positions()
        committed = await self._store.last_close(self._portfolio.run, self._portfolio.name)
        standing = await self._chapter_of(committed)
        carried = None if standing is None else standing.carried
        after = None if carried is None else carried.close_time
        await self._store.verify(self._portfolio.run, self._portfolio.name, after)
        self._begin(standing)
        while (decided := await self._closes.next()) is not None:
            if isinstance(decided, Opened):
                await self._turn(decided)
                continue
            close_time = decided.noun.close_time
            entry = await self._entry(decided)
            # The newest committed close again: a store of another log refuses it.
            if committed is None or close_time >= committed:
                await self._store.commit(entry)
            if close_time > self._published and _traded(entry):
                self._due = entry
            if self._due is not None and not self._closes.at_hand():
                await self._publish(self._due)
            if entry.decision.ended:
                break
            if entry.decision.ends_chapter:
                await self._turn(await self._closes.opening())
        await self._store.written(self._portfolio.run, self._portfolio.name)

    async def _recall_positions(self) -> None:
        """What was published last, of the symbols of the chapter that its close belongs to."""
        bus, portfolio = self._ports.bus, self._portfolio
        for stored in await self.lane.newest(1):
            positions = decode_positions(stored.message.payload)
            before = positions.close_time - 1
            its = await newest_chapter(bus, portfolio.run, portfolio.name, until=before)
            own = self._own if its is None else Own.of(its.portfolio)
            check_positions_of(positions, own, self._published)
            self._number, self._published = positions.number + 1, positions.close_time

    async def _chapter_of(self, committed: int | None) -> Standing | None:
        """The newest chapter whose beginning is committed, None for the first one. Raises
        CannotStart where the log has it no more.
        """
        bus, portfolio = self._ports.bus, self._portfolio
        begins = None
        if committed is not None:
            # One close before it, as the newest committed close is folded again.
            begins = await newest_chapter(bus, portfolio.run, portfolio.name, until=committed - 1)
        oldest = await oldest_readable(bus, portfolio.run, portfolio.name)
        if oldest is not None and (begins is None or begins.number < oldest.number):
            raise CannotStart(
                f"the log of {portfolio.name} in {portfolio.run} begins with chapter "
                f"{oldest.number}, and the ledger's database does not reach it: bring back the "
                "database as it was"
            )
        return begins

    def _begin(self, standing: Standing | None) -> None:
        """Fold on from what a chapter carries; None is the first chapter."""
        if standing is not None:
            self._portfolio, self._own = standing.portfolio, Own.of(standing.portfolio)
        ports, portfolio = self._ports, self._portfolio
        number = FIRST if standing is None else standing.number
        carried = None if standing is None else standing.carried
        self._fold, self._means = LedgerFold(portfolio, carried), AccountMeans(portfolio, carried)
        # Nobody waits for the record, so no message wakes it: it reads by the page.
        self._closes = DecidedCloses(ports, portfolio, self._start, number, carried)
        self._fills = FillsReader(ports, portfolio, True, number, carried)
        self._signals = {
            model.name: SignalsReader(ports, portfolio, model.name, True, number, carried)
            for model in portfolio.active
        }

    async def _turn(self, opened: Opened) -> None:
        """Into the chapter that has opened."""
        self._begin(await opened_chapter(self._ports.bus, opened, self._portfolio.run))

    async def _entry(self, decided: Received[Decision]) -> LedgerEntry:
        bars = await self._closes.bars(decided.noun)
        reports = await self._fills.until(bars.close_time)
        models = self._portfolio.signalling(bars.universes)
        pass_over_late(self._signals, self._portfolio, bars.late)
        used = await used_signals(self._signals, models, decided.noun)
        signals = [received.noun for received in used.values()]
        events = [event for report in reports for event in report.noun.events]
        decided.take_up()
        self._refuse_beyond_means(events, bars.sections, decided.noun)
        try:
            return self._fold.fold(events, bars.sections, signals, decided.noun)
        except (StrayExecution, ExcessExecution) as error:
            _take_up_its_report(error, reports)
            raise

    def _refuse_beyond_means(
        self, events: Sequence[FillEvent], bars: Sequence[ClosedBars], decision: Decision
    ) -> None:
        """What execution would never send is not recorded either. Raises Absurd."""
        for event in events:
            self._means.settle(event)
        for section in bars:
            self._means.observe(section)
        self._means.check(decision, decision.orders)

    async def _publish(self, entry: LedgerEntry) -> None:
        positions = positions_of(entry, self._number)
        identity = message_id(hop("positions").stream, self.lane.subject, entry.close_time)
        await self.lane.publish(identity, encode_positions(positions), entry.close_time)
        self._number += 1
        self._due = None


def _traded(entry: LedgerEntry) -> bool:
    return any(event.kind is FillKind.FILLED for event in entry.events)


def _take_up_its_report(
    error: StrayExecution | ExcessExecution, reports: Sequence[Received[FillsReport]]
) -> None:
    """What can't be processed is the report of the execution, not the decision that was read
    last.
    """
    for report in reports:
        if any(event.execution_id == error.execution_id for event in report.noun.events):
            report.take_up()
