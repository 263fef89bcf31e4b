"""The only place that constructs market_data's parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.loading import bars_at_hand
from stratvector.services.market_data.replay import ReplayLane
from stratvector.services.market_data.replay_store import Recording, ReplayStore
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.trading.bars import ClosedBars
from stratvector.trading.schedule import merge
from stratvector.trading.timestamps import Nanoseconds

if TYPE_CHECKING:
    from stratvector.trading.session import Session


@dataclass(frozen=True)
class InMemory:
    """The bars of one universe of a session in memory."""

    session: "Session"
    universe: str

    @property
    def hash(self) -> str:
        """Of all of them, as they are now."""
        return self.session.bars_hash(self.universe)

    @property
    def close_times(self) -> Nanoseconds:
        """ns UTC, increasing."""
        return self.session.histories[self.universe].bars.close_times

    def sections(self, after: int) -> Iterator[ClosedBars]:
        """Cross-sections later than a close (ns UTC), in order."""
        return self.session.sections(self.universe, after)


def build(deployment: Deployment, ports: Ports, closes_per_s_max: float | None = None) -> Tasks:
    """One replay lane per universe of a session in memory.

    closes_per_s_max : None is as fast as decisions follow.
    """
    session = cast("Session", deployment.session)
    recordings = {one.name: InMemory(session, one.name) for one in session.portfolio.universes}
    return _replays(deployment, ports, recordings, deployment.bars_ahead_max, closes_per_s_max)


async def serve(settings: MarketDataSettings, deployment: Deployment, ports: Ports) -> Tasks:
    """The lanes of what the chapter names. Raises BarsUnavailable, OtherChapter."""
    return await lanes_of(settings, deployment, ports)


async def lanes_of(settings: MarketDataSettings, deployment: Deployment, ports: Ports) -> Tasks:
    """A feed lane per universe of a session without an end, else a replay lane: over the bars that
    the chapter names, which are in the store or come there now, as far ahead of decisions and as
    fast as told. Raises BarsUnavailable, OtherChapter.
    """
    session = cast("LoggedSession", deployment.session)
    if session.closes is None:
        return _feeds(session, ports)
    store = ReplayStore(settings.store)
    recordings = {
        universe.name: await bars_at_hand(
            store,
            session.chapter.bars_of(universe.name).hash,
            universe,
            session.source(universe.name),
        )
        for universe in session.portfolio.universes
    }
    ahead, pace = settings.bars_ahead_max, settings.closes_per_s_max
    return _replays(deployment, ports, recordings, ahead, pace)


def _feeds(session: LoggedSession, ports: Ports) -> Tasks:
    # Replays need not wait for what reads venues.
    from stratvector.runtime.run_clock import RunClock
    from stratvector.services.market_data.feed import FeedLane
    from stratvector.services.market_data.feed_reports import FeedCollector, FeedReports
    from stratvector.services.market_data.venues import Venues, source_of

    venues = Venues(RunClock(ports.clock, session.time_map), seed=hash(ports.instance))
    lanes, reports = [], []
    for universe in session.portfolio.universes:
        source = source_of(session, universe)
        reports.append(FeedReports(universe.name, universe.timeframe))
        open_feed = partial(venues.feed, source)
        lanes.append(
            FeedLane(
                ports,
                session.portfolio,
                universe,
                source,
                session.start,
                open_feed,
                reports[-1],
            )
        )
    return Tasks(
        main=[one.run() for one in lanes],
        lanes=[one.lane for one in lanes],
        collectors=[FeedCollector(reports, venues.states)],
        trouble=venues.trouble,
    )


def _replays(
    deployment: Deployment,
    ports: Ports,
    recordings: Mapping[str, Recording],
    bars_ahead_max: int,
    closes_per_s_max: float | None,
) -> Tasks:
    portfolio, start = deployment.session.portfolio, deployment.session.start
    closes = {name: one.close_times for name, one in recordings.items()}
    schedule = merge({name: times[times >= start] for name, times in closes.items()})
    lanes = [
        ReplayLane(
            ports,
            portfolio,
            universe,
            recordings[universe.name],
            schedule,
            bars_ahead_max,
            closes_per_s_max,
        )
        for universe in portfolio.universes
    ]
    return Tasks(main=[one.run() for one in lanes], lanes=[one.lane for one in lanes])
