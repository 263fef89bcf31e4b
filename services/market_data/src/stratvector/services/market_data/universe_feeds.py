"""universe_feeds: the lanes of a process: each version of a universe in a run has one, however many
portfolios read it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, cast

from stratvector.runtime.chapters import Standing, first_chapter, newest_chapter
from stratvector.runtime.deployment import Deployment, SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.loading import BarsUnavailable
from stratvector.services.market_data.recordings import Recordings
from stratvector.services.market_data.replay import ReplayLane
from stratvector.services.market_data.replay_store import Recording
from stratvector.services.market_data.universe_watch import LaneReaders, UniverseWatch
from stratvector.trading.lanes import bars_lane, earlier_bars_lanes
from stratvector.trading.portfolio import Universe
from stratvector.trading.schedule import merge
from stratvector.trading.timestamps import Nanoseconds, utc_text

if TYPE_CHECKING:
    from stratvector.services.market_data.feed import FeedLane
    from stratvector.services.market_data.live_feeds import LiveFeeds

    MakeLane = Callable[[], ReplayLane | FeedLane]


@dataclass(frozen=True)
class Pace:
    """How many closes bars run ahead of decisions, and how many a second at most."""

    bars_ahead_max: int
    closes_per_s_max: float | None = None


class UniverseFeeds:
    """Makes the lanes of each portfolio that this process does not have yet. Speaks
    `universe_watch.Universes`.
    """

    def __init__(self, ports: Ports, recordings: Recordings, pace: Pace) -> None:
        self._ports, self._recordings, self._pace = ports, recordings, pace
        self._taken = dict[str, str]()  # lane -> hash of its bars
        self._close_times: dict[str, Nanoseconds] = {}  # of the recordings, by lane
        self._readers = LaneReaders()
        self.live: LiveFeeds | None = None

    def trouble(self) -> str:
        """Which venues are waited for; empty when all that are needed are connected."""
        return "" if self.live is None else self.live.trouble()

    async def begin(self, deployment: Deployment) -> Tasks:
        """The lanes of a portfolio, as its newest chapter has it. Raises BarsUnavailable."""
        session, portfolio = deployment.session, deployment.session.portfolio
        standing = await newest_chapter(self._ports.bus, portfolio.run, portfolio.name)
        newest = session if standing is None else LoggedSession(standing.chapter)
        tasks = await self._lanes_of(newest, standing)
        return self.watched(session, tasks)

    def watched(self, session: SessionParts, tasks: Tasks) -> Tasks:
        """Lanes of a portfolio, and what follows its chapters."""
        watch = UniverseWatch(self._ports, session, self)
        return Tasks([*tasks.main, watch.run()], tasks.lanes, tasks.again)

    async def begun(self, opened: Standing) -> Tasks:
        """The lanes that a chapter has and that are not here yet. Raises BarsUnavailable."""
        session = LoggedSession(opened.chapter)
        return await self._lanes_of(session, opened)

    async def check(self, proposed: Standing) -> None:
        """Load the bars of the versions that a proposed chapter would begin, and hold their closes
        against those before; a universe that it adds must close in it. Raises BarsUnavailable,
        FeedUnavailable, OtherChapter, CantSay.
        """
        session = LoggedSession(proposed.chapter)
        new = self._new(session)
        if new and session.closes is None:
            await self._live_feeds().check(session, new)
        elif new:
            recordings = await self._recordings.of(session)
            for universe in new:
                self._check_closes(proposed, universe, recordings[universe.name].close_times)

    def replayed(self, session: SessionParts, recordings: Mapping[str, Recording]) -> Tasks:
        """Those lanes of a session that are not here yet. recordings : of all its universes."""
        portfolio, new = session.portfolio, self._new(session)
        self._readers.read(portfolio)
        closes = {name: one.close_times for name, one in recordings.items()}
        schedule = merge({name: times[times >= session.start] for name, times in closes.items()})
        self._close_times |= {bars_lane(portfolio, one): closes[one.name] for one in new}
        self._taken |= _hashes(session, new)
        make = partial(ReplayLane, self._ports, portfolio)
        pace = (self._pace.bars_ahead_max, self._pace.closes_per_s_max)
        return _tasks(
            [
                partial(make, one, recordings[one.name], schedule, *pace, self._is_read)
                for one in new
            ]
        )

    async def _lanes_of(self, session: SessionParts, standing: Standing | None) -> Tasks:
        """standing : the chapter, None before the first one."""
        portfolio, new = session.portfolio, self._new(session)
        self._readers.read(portfolio)
        if not new:
            return Tasks([])
        taken = _hashes(session, new)
        # Before anything is awaited: two portfolios may begin at once.
        self._taken |= taken
        try:
            if session.closes is None:
                logged = cast("LoggedSession", session)
                starts = {one.name: _beginning(standing, session, one.name) for one in new}
                return _tasks(self._live_feeds().lanes(logged, new, starts, self._is_read))
            recordings = await self._recordings.of(session)
        except BaseException:
            self._forget(taken)
            raise
        self._forget(taken)
        return self.replayed(session, recordings)

    def _new(self, session: SessionParts) -> list[Universe]:
        """The universes whose lanes are not here yet. Raises BarsUnavailable where one is, of
        another portfolio and with other bars.
        """
        universes, portfolio = session.portfolio.universes, session.portfolio
        for lane, wanted in _hashes(session, universes).items():
            if self._taken.get(lane, wanted) != wanted:
                raise BarsUnavailable(
                    f"{portfolio.run}.{portfolio.name}: the bars of {lane} are not those that the "
                    "portfolio which it was begun for has"
                )
        return [one for one in universes if bars_lane(portfolio, one) not in self._taken]

    def _forget(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            del self._taken[lane]

    def _is_read(self, lane: str) -> bool:
        return self._readers.is_read(lane)

    def _check_closes(self, proposed: Standing, universe: Universe, times: Nanoseconds) -> None:
        """The closes after a chapter's beginning are those that the versions before have too.
        Raises BarsUnavailable.
        """
        assert proposed.carried is not None
        after = proposed.carried.close_time
        if universe.name not in proposed.carried.next_closes:
            _refuse_ended(universe, times, after)
            return
        lanes = earlier_bars_lanes(proposed.portfolio, universe)
        known = next((self._close_times[lane] for lane in lanes if lane in self._close_times), None)
        if known is None:
            return
        ours, theirs = known[known > after].tolist(), times[times > after].tolist()
        for was, now in zip_longest(ours, theirs):
            if was != now:
                raise BarsUnavailable(
                    f"universe {universe.name}: with {', '.join(universe.symbols)} its bars close "
                    f"{_closes_at(now)} instead of {_closes_at(was)}; other symbols may not change "
                    "its closes"
                )

    def _live_feeds(self) -> "LiveFeeds":
        if self.live is None:
            # Replays need not wait for what reads venues.
            from stratvector.services.market_data.live_feeds import LiveFeeds

            self.live = LiveFeeds(self._ports)
        return self.live


def _hashes(session: SessionParts, universes: Sequence[Universe]) -> dict[str, str]:
    """Per lane, of the bars that it is to have."""
    chapter, portfolio = first_chapter(session), session.portfolio
    return {bars_lane(portfolio, one): chapter.bars_of(one.name).hash for one in universes}


def _refuse_ended(universe: Universe, times: Nanoseconds, after: int) -> None:
    """Raises BarsUnavailable for a universe that never closes after a time (ns UTC)."""
    if not (times > after).any():
        raise BarsUnavailable(
            f"universe {universe.name}: its bars have no close after {utc_text(after)}, so it "
            "can't be added"
        )


def _beginning(standing: Standing | None, session: SessionParts, universe: str) -> int:
    """The first close of a universe that a chapter may use, ns UTC: of one that is absent, also
    what earlier chapters went without.
    """
    carried = None if standing is None else standing.carried
    used = 0 if carried is None else carried.bars_until(universe)
    return max(session.start, used + 1)


def _closes_at(close_time: int | None) -> str:
    return "no more" if close_time is None else f"at {utc_text(close_time)}"


def _tasks(lanes: "Sequence[MakeLane]") -> Tasks:
    def make(make_lane: "MakeLane") -> Tasks:
        lane = make_lane()
        return Tasks([lane.run()], [lane.lane])

    return Tasks.of([partial(make, one) for one in lanes])
