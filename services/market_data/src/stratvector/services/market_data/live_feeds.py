"""The feed lanes of a process: live, paper and shadow portfolios that begin one by one share
them, and the connections to venues.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from prometheus_client.core import Metric

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.market.live import LiveSource, VenueState
from stratvector.runtime.epochs import newest_content
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock, TimeMap
from stratvector.services.market_data.feed import FeedLane
from stratvector.services.market_data.feed_reports import FeedCollector, FeedReports
from stratvector.services.market_data.venues import FeedUnavailable, Venues, source_of
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import Universe

Connections = Callable[[RunClock, int], Venues]


class LiveFeeds:
    """Makes feed lanes. Portfolios on one clock share the connections to venues. connections :
    makes those of a clock; its number is the seed of their jitter.
    """

    def __init__(self, ports: Ports, connections: Connections = Venues) -> None:
        self._ports, self._connections = ports, connections
        self._venues: dict[TimeMap | None, Venues] = {}
        # All versions of a universe have one: they have one set of labels too.
        self._reports: dict[tuple[str, str], FeedReports] = {}
        self._collector = FeedCollector(self._reports.values(), self._states)

    def lanes(
        self,
        session: LoggedSession,
        universes: Sequence[Universe],
        starts: Mapping[str, int],
        is_read: Callable[[str], bool],
    ) -> list[Callable[[], FeedLane]]:
        """What makes one per universe. starts : by its name, the first close that is read, ns UTC;
        is_read : see `FeedLane`. Raises OtherChapter, FeedUnavailable.
        """
        sources = {universe.name: source_of(session, universe) for universe in universes}
        venues = self._venues_on(session.time_map)
        return [
            self._maker(session, one, sources[one.name], venues, starts[one.name], is_read)
            for one in universes
        ]

    async def check(self, session: LoggedSession, universes: Sequence[Universe]) -> None:
        """Whether there can be lanes of these: their venues have the symbols, and another
        portfolio's lane of the same name has no others. Raises OtherChapter, FeedUnavailable,
        CantSay.
        """
        venues = self._venues_on(session.time_map)
        for universe in universes:
            lane = bars_lane(session.portfolio, universe)
            last = await newest_content(self._ports.bus, lane)
            there = None if last is None else decode_closed_bars(last.message.payload).symbols
            if there not in (None, universe.symbols):
                raise FeedUnavailable(
                    f"{lane} has {', '.join(there)} for another portfolio: name the same symbols "
                    "in the same order, or apply it as another run with another name of the "
                    "universe"
                )
            await venues.check(source_of(session, universe))

    def trouble(self) -> str:
        """Which venues are waited for, and why; empty when all that are needed are connected."""
        return "; ".join(told for venues in self._venues.values() if (told := venues.trouble()))

    def collect(self) -> Iterator[Metric]:
        """Counts of every feed, then of every venue."""
        return self._collector.collect()

    def _maker(
        self,
        session: LoggedSession,
        universe: Universe,
        source: LiveSource,
        venues: Venues,
        start: int,
        is_read: Callable[[str], bool],
    ) -> Callable[[], FeedLane]:
        labels = universe.name, universe.timeframe
        reports = self._reports.setdefault(labels, FeedReports(*labels))
        open_feed, portfolio = partial(venues.feed, source), session.portfolio
        parts = (portfolio, universe, source, start, open_feed, reports, is_read)
        return partial(FeedLane, self._ports, *parts)

    def _venues_on(self, time_map: TimeMap | None) -> Venues:
        if time_map not in self._venues:
            clock = RunClock(self._ports.clock, time_map)
            self._venues[time_map] = self._connections(clock, hash(self._ports.instance))
        return self._venues[time_map]

    def _states(self) -> list[VenueState]:
        return [state for venues in self._venues.values() for state in venues.states()]
