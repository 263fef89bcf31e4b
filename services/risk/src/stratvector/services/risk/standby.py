"""standby: adopts what the owner of an orders lane decides, while this instance waits for the lane.

The less is left to adopt when the lane is its own, the sooner an heir decides and answers.
"""

import structlog

from stratvector.runtime.chapters import Standing, newest_chapter, opened_chapter
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.readers import carried_sequence, opening_in
from stratvector.services.risk.chapter_fold import ChapterFold
from stratvector.trading.lanes import orders_lane
from stratvector.trading.portfolio import Portfolio


class Standby:
    """Of one portfolio. start : the first close that may trade, ns UTC.

    What it can't read is the owner's to tell: from then on it only waits.
    """

    def __init__(self, ports: Ports, portfolio: Portfolio, start: int) -> None:
        self._ports, self._portfolio, self._start = ports, portfolio, start
        self._lane = orders_lane(portfolio)
        self._fold: ChapterFold | None = None
        self._followed: Inbox | None = None
        self._is_cold = False

    async def rest(self, seconds: float) -> None:
        """Adopt what there is, and sleep for what is left of so many seconds."""
        clock = self._ports.clock
        until = clock.monotonic_seconds() + seconds
        try:
            while not self._is_cold and clock.monotonic_seconds() < until:
                if not await self._adopts_next():
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, the owner meets it too
            self._is_cold = True
            log = structlog.get_logger("stratvector.risk")
            log.warning("stands by without adopting", lane=self._lane, why=str(error))
        await clock.sleep(max(0.0, until - clock.monotonic_seconds()))

    async def fold_of(self, standing: Standing) -> ChapterFold | None:
        """What was adopted of the chapter that holds, and hears on from there; None if nothing
        was.
        """
        fold = self._fold
        if fold is None:
            return None
        number = fold.standing.number
        if self._is_cold or number != standing.number or not fold.closes:
            await fold.close()
            return None
        await fold.listen()
        return fold

    async def _adopts_next(self) -> bool:
        """Adopt one decision, or the chapter that opens; False when there is none."""
        if self._followed is None:
            of = self._portfolio
            newest = await newest_chapter(self._ports.bus, of.run, of.name)
            if newest is None:
                return False
            self._begin(newest)
            after = carried_sequence(newest.carried, self._lane)
            self._followed = Inbox(self._ports, self._lane, follows=True, after=after)
        if not await self._followed.look(0.0):
            return False
        await self._adopt(await self._followed.next())
        return True

    async def _adopt(self, stored: Stored) -> None:
        fold = self._fold
        assert fold is not None, "a chapter is begun before its lane is followed"
        if stored.message.kind is not Kind.OPENED:
            await fold.adopt(stored)
        elif (opened := opening_in(stored)).number > fold.standing.number:
            standing = await opened_chapter(self._ports.bus, opened, self._portfolio.run)
            await fold.close()
            self._begin(standing)

    def _begin(self, standing: Standing) -> None:
        self._fold = ChapterFold(self._ports, standing, self._start, follows=True)
