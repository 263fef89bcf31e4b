"""universe_watch: new versions of a portfolio's universes, from their proposal on.

    proposed ─▶ bars of the new version loaded, held against those before ─▶ confirmed, or why not
    opened   ─▶ its lane begins with its warm-up; the lane before ends when nobody reads it

Nothing is published for a chapter that has not opened: another proposal may have other symbols.
"""

from typing import Protocol

from stratvector.runtime.chapter_watch import ChapterWatch
from stratvector.runtime.chapters import Standing
from stratvector.runtime.confirmations import Confirmations
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.logs import logger
from stratvector.runtime.session_document import BadSession
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import Portfolio

REST_SECONDS = 0.1
LOOK_SECONDS = 0.5  # between two looks whether the portfolio has come to its end


class CantSay(Exception):
    """Nobody can say now whether there are the bars that a chapter names; risk asks again."""


class LaneReaders:
    """Which portfolios of this process read which lane of bars."""

    def __init__(self) -> None:
        self._lanes: dict[str, tuple[str, ...]] = {}  # by portfolio

    def read(self, portfolio: Portfolio) -> None:
        """A portfolio reads the lanes of its universes, and no other any more."""
        lanes = tuple(bars_lane(portfolio, universe) for universe in portfolio.universes)
        self._lanes[f"{portfolio.run}.{portfolio.name}"] = lanes

    def is_read(self, lane: str) -> bool:
        """Whether any portfolio does."""
        return any(lane in lanes for lanes in self._lanes.values())


class Universes(Protocol):
    """Who has the bars of a portfolio's universes."""

    async def check(self, proposed: Standing) -> None:
        """Load what a chapter would need anew. Raises CannotStart, BadSession, CantSay."""

    async def begun(self, opened: Standing) -> Tasks:
        """The lanes that a chapter has and that are not here yet."""


class UniverseWatch:
    """Of one portfolio. session : what it began with."""

    def __init__(self, ports: Ports, session: SessionParts, universes: Universes) -> None:
        self._ports, self._universes = ports, universes
        self._last_close = session.last_close
        portfolio = session.portfolio
        self._key = f"{portfolio.run}.{portfolio.name}"
        of = (portfolio.run, portfolio.name)
        self._confirmations = Confirmations(ports.key_value, "market_data", *of)
        self._chapters = ChapterWatch(ports, portfolio, self._prepare, follows=True)

    async def run(self) -> None:
        """Follow the portfolio's chapters to its last close."""
        standing = await self._chapters.begin()
        if standing is not None:
            await self._take_up(standing)
        while not await self._chapters.has_ended(self._last_close, LOOK_SECONDS):
            if (opened := await self._chapters.opened()) is not None:
                await self._take_up(opened)
            await self._ports.clock.sleep(REST_SECONDS)

    async def _prepare(self, proposed: Standing) -> None:
        try:
            await self._universes.check(proposed)
            refused = ""
        except (CannotStart, BadSession) as error:
            refused = str(error)
        except CantSay as error:
            # The next proposal may name bars that are there.
            logger().warning("change not checked", portfolio=self._key, reason=str(error))
            return
        await self._confirmations.say(proposed.id, refused)

    async def _take_up(self, standing: Standing) -> None:
        if self._last_close is not None:
            self._last_close = LoggedSession(standing.chapter).last_close
        tasks = await self._universes.begun(standing)
        if tasks.main:
            self._ports.begin(self._key, tasks)
