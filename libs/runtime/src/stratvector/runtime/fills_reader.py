"""fills_reader: the `fills` lanes of a portfolio's accounts, asked close by close.

Every account closes every close of the portfolio, so that a close has, account by account in the
portfolio's order, the reports up to the one that closes it. In a run with deadlines the leading
account's says which bars it has.
"""

from collections.abc import Sequence

from stratvector.contracts.codecs import decode_fills_report
from stratvector.runtime.inbox import POLL_SECONDS
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import HasEnded, Reader, Received, carried_sequence
from stratvector.runtime.unfit_messages import OutOfStep, refuse_other_close
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST
from stratvector.trading.fills import FillsReport
from stratvector.trading.lanes import fills_lane
from stratvector.trading.meaning.chapters import check_report_chapter
from stratvector.trading.meaning.fills import check_next_report, check_report_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.ticks import Tick


class AccountFillsReader:
    """The `fills` lane of one account, read up to each close."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        account: str,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        lane = fills_lane(portfolio, account)
        self._chapter, self._oldest = chapter, FIRST
        self._own, self._account = Own.of(portfolio), account
        self._number = 0 if carried is None else carried.account(account).reports
        after = carried_sequence(carried, lane)
        self._reader = Reader(ports, lane, decode_fills_report, self._refuse, follows, after)
        self._reports = list[Received[FillsReport]]()  # of a close that is not there as a whole

    async def until(self, close_time: int) -> list[Received[FillsReport]]:
        """Every report up to the one that closes `close_time`. Raises OutOfStep."""
        while not self._is_whole:
            self._reports.append(await self._reader.next())
        reports = self._taken()
        refuse_other_close(self._reader.lane, close_time, reports[-1].noun.closed or 0)
        return reports

    async def after(self, close_time: int, has_ended: HasEnded) -> list[Received[FillsReport]]:
        """Every report up to the one that closes the next close, later than a time (ns UTC); none
        when there is no such close. Raises OutOfStep.
        """
        while not await self.look(POLL_SECONDS):
            if await has_ended():
                return []
        reports = self._taken()
        closed = reports[-1].noun.closed or 0
        if closed <= close_time:
            raise OutOfStep(self._reader.lane, close_time + 1, closed)
        return reports

    async def look(self, patience_seconds: float) -> bool:
        """Whether the reports up to a close are at hand; each of them may take so long to come."""
        while not self._is_whole:
            if not await self._reader.look(patience_seconds):
                return False
            self._reports.append(await self._reader.next())
        return True

    async def listen(self) -> None:
        """See `Reader.listen`."""
        await self._reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        await self._reader.close()

    @property
    def _is_whole(self) -> bool:
        return bool(self._reports) and self._reports[-1].noun.closed is not None

    def _taken(self) -> list[Received[FillsReport]]:
        reports, self._reports = self._reports, []
        return reports

    def _refuse(self, report: FillsReport) -> None:
        """Raises Absurd."""
        check_report_of(report, self._own, self._account)
        check_next_report(report, self._number)
        check_report_chapter(report, self._oldest, self._chapter)
        self._number += 1
        if report.closed is not None:
            # Its decision is of this chapter, and what execution says next follows that.
            self._oldest = self._chapter


class FillsReader:
    """The `fills` lanes of a portfolio's accounts, but for one: `apart`, whose own it is."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
        apart: str = "",
    ) -> None:
        self._readers = [
            AccountFillsReader(ports, portfolio, account, follows, chapter, carried)
            for account in portfolio.account_names
            if account != apart
        ]

    async def until(self, close_time: int) -> list[Received[FillsReport]]:
        """Every report up to those that close `close_time`. Raises OutOfStep."""
        return [one for reader in self._readers for one in await reader.until(close_time)]

    async def after(self, close_time: int, has_ended: HasEnded) -> list[Received[FillsReport]]:
        """Every report up to those that close the next close, later than a time (ns UTC), which the
        leading account tells; none when there is no such close. Raises OutOfStep.
        """
        leading, *others = self._readers
        reports = await leading.after(close_time, has_ended)
        for reader in others if reports else ():
            reports += await reader.until(reports[-1].noun.closed or 0)
        return reports

    async def listen(self) -> None:
        """See `Reader.listen`."""
        for reader in self._readers:
            await reader.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        for reader in self._readers:
            await reader.close()


def named_tick(reports: Sequence[Received[FillsReport]]) -> Tick:
    """What the reports of a close say of its bars: the leading account's, which is the first."""
    return Tick.of_report(next(one.noun for one in reports if one.noun.closed is not None))
