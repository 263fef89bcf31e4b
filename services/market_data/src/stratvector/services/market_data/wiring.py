"""The only place that constructs market_data's parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from stratvector.runtime.deployment import Deployment, SessionParts
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.loading import bars_at_hand
from stratvector.services.market_data.replay import ReplayLane
from stratvector.services.market_data.replay_store import Recording, ReplayStore
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.trading.bars import ClosedBars
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import Universe
from stratvector.trading.schedule import merge
from stratvector.trading.timestamps import Nanoseconds

if TYPE_CHECKING:
    from stratvector.services.market_data.feed import FeedLane
    from stratvector.services.market_data.live_feeds import LiveFeeds
    from stratvector.trading.session import Session

    MakeLane = Callable[[], ReplayLane | FeedLane]


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
    universes = session.portfolio.universes
    recordings = {one.name: InMemory(session, one.name) for one in universes}
    pace = (deployment.bars_ahead_max, closes_per_s_max)
    return _tasks(_replay_lanes(session, universes, ports, recordings, *pace))


def serve(settings: MarketDataSettings, ports: Ports) -> Service:
    """The same over the bars that each portfolio's chapter names, which are in the store or come
    there when it begins, as far ahead of decisions and as fast as told.
    """
    # The simulated world has no metrics.
    from stratvector.services.market_data.live_collector import LiveCollector

    feeds = Feeds(settings, ports)
    return Service(
        begin=feeds.begin, collectors=[LiveCollector(lambda: feeds.live)], trouble=feeds.trouble
    )


class Feeds:
    """The lanes of a process: each universe of a run has one, however many portfolios read it."""

    def __init__(self, settings: MarketDataSettings, ports: Ports) -> None:
        self._settings, self._ports = settings, ports
        self._store = ReplayStore(settings.store)
        self._taken: set[str] = set()
        self.live: LiveFeeds | None = None

    def trouble(self) -> str:
        """Which venues are waited for; empty when all that are needed are connected."""
        return "" if self.live is None else self.live.trouble()

    async def begin(self, deployment: Deployment) -> Tasks:
        """The lanes of a portfolio that this process does not have yet. Raises BarsUnavailable."""
        session = cast("LoggedSession", deployment.session)
        portfolio = session.portfolio
        new = [one for one in portfolio.universes if bars_lane(portfolio, one) not in self._taken]
        subjects = {bars_lane(portfolio, one) for one in new}
        # Before anything is awaited: two portfolios may begin at once.
        self._taken |= subjects
        try:
            return _tasks(await self._lanes_of(session, new))
        except BaseException:
            self._taken -= subjects
            raise

    async def _lanes_of(
        self, session: LoggedSession, universes: Sequence[Universe]
    ) -> "Sequence[MakeLane]":
        """What makes one lane per universe: of its venue's candles where the session has no end,
        else of its recording.
        """
        if not universes:
            return []
        if session.closes is None:
            return self._live_feeds().lanes(session, universes)
        recordings = {
            universe.name: await bars_at_hand(
                self._store,
                session.chapter.bars_of(universe.name).hash,
                universe,
                session.source(universe.name),
            )
            for universe in session.portfolio.universes
        }
        pace = (self._settings.bars_ahead_max, self._settings.closes_per_s_max)
        return _replay_lanes(session, universes, self._ports, recordings, *pace)

    def _live_feeds(self) -> "LiveFeeds":
        if self.live is None:
            # Replays need not wait for what reads venues.
            from stratvector.services.market_data.live_feeds import LiveFeeds

            self.live = LiveFeeds(self._ports)
        return self.live


def _replay_lanes(
    session: SessionParts,
    universes: Sequence[Universe],
    ports: Ports,
    recordings: Mapping[str, Recording],
    bars_ahead_max: int,
    closes_per_s_max: float | None,
) -> "Sequence[MakeLane]":
    """What makes the lanes of some of a session's universes. recordings : of all of them."""
    closes = {name: one.close_times for name, one in recordings.items()}
    schedule = merge({name: times[times >= session.start] for name, times in closes.items()})
    lane = partial(ReplayLane, ports, session.portfolio)
    return [
        partial(lane, one, recordings[one.name], schedule, bars_ahead_max, closes_per_s_max)
        for one in universes
    ]


def _tasks(lanes: "Sequence[MakeLane]") -> Tasks:
    def make(make_lane: "MakeLane") -> Tasks:
        lane = make_lane()
        return Tasks([lane.run()], [lane.lane])

    return Tasks.of([partial(make, one) for one in lanes])
