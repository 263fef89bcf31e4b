"""The feed lanes of a process: live, paper and shadow portfolios that begin one by one share
them, and the connections to venues.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from prometheus_client.core import Metric

from stratvector.market.live import LiveSource, VenueState
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock, TimeMap
from stratvector.services.market_data.feed import FeedLane
from stratvector.services.market_data.feed_reports import FeedCollector, FeedReports
from stratvector.services.market_data.venues import Venues, source_of
from stratvector.trading.portfolio import Universe


class LiveFeeds:
    """Makes feed lanes. Portfolios on one clock share the connections to venues."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._venues: dict[TimeMap | None, Venues] = {}
        self._reports: list[FeedReports] = []
        self._collector = FeedCollector(self._reports, self._states)

    def lanes(
        self, session: LoggedSession, universes: Sequence[Universe]
    ) -> list[Callable[[], FeedLane]]:
        """What makes one per universe. Raises OtherChapter, FeedUnavailable."""
        sources = {universe.name: source_of(session, universe) for universe in universes}
        venues = self._venues_on(session.time_map)
        return [self._maker(session, one, sources[one.name], venues) for one in universes]

    def trouble(self) -> str:
        """Which venues are waited for, and why; empty when all that are needed are connected."""
        return "; ".join(told for venues in self._venues.values() if (told := venues.trouble()))

    def collect(self) -> Iterator[Metric]:
        """Counts of every feed, then of every venue."""
        return self._collector.collect()

    def _maker(
        self, session: LoggedSession, universe: Universe, source: LiveSource, venues: Venues
    ) -> Callable[[], FeedLane]:
        reports = FeedReports(universe.name, universe.timeframe)
        self._reports.append(reports)
        open_feed, portfolio = partial(venues.feed, source), session.portfolio
        parts = (portfolio, universe, source, session.start, open_feed, reports)
        return partial(FeedLane, self._ports, *parts)

    def _venues_on(self, time_map: TimeMap | None) -> Venues:
        if time_map not in self._venues:
            clock = RunClock(self._ports.clock, time_map)
            self._venues[time_map] = Venues(clock, seed=hash(self._ports.instance))
        return self._venues[time_map]

    def _states(self) -> list[VenueState]:
        return [state for venues in self._venues.values() for state in venues.states()]
