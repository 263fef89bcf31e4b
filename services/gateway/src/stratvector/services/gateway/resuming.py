"""resuming: where a portfolio's followers begin, and what is kept so that the next start goes on.

    state kept, its places are in the log    the state, and each lane from its place on
    nothing kept, the log is whole           each lane from its first message on
    nothing kept, the log is purged          what its oldest chapter carries, lanes from there on

The lanes are read one by one, and a state is whole with the places that they were read to, so it is
kept at any moment between two batches.
"""

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stratvector.runtime.bars_places import place_after
from stratvector.runtime.chapters import (
    chapter_message,
    first_chapter,
    is_readable,
    oldest_readable,
    opened_chapters,
)
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.snapshots import Snapshots
from stratvector.services.gateway.following import Follower, OrdersFollower
from stratvector.services.gateway.live import LiveSession, LiveState
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from stratvector.trading.portfolio import Portfolio

KEEP_SECONDS = 60.0
FOLD = "3"  # another one folds otherwise, and goes on from nothing that this one has kept


@dataclass(frozen=True)
class Kept:
    """A state, and up to which message each lane is in it."""

    read: dict[str, int]
    state: LiveState


@dataclass(frozen=True)
class Reading:
    """The followers of one portfolio, and the keeping of what they have made of its lanes."""

    ports: Ports
    live: LiveSession
    followers: list[Follower]
    snapshots: Snapshots[Kept]

    def coroutines(self) -> list[Coroutine[Any, Any, None]]:
        """None of which ends by itself."""
        return [*(one.run() for one in self.followers), self._keep()]

    async def keep(self) -> None:
        """Keep the state as it is now."""
        read = {one.lane: one.taken for one in self.followers}
        await self.snapshots.keep(Kept(read, self.live.kept))

    async def _keep(self) -> None:
        version = self.live.version
        while True:
            await self.ports.clock.sleep(KEEP_SECONDS)
            if self.live.version != version:
                version = self.live.version
                await self.keep()


async def resumed(ports: Ports, session: SessionParts, live: LiveSession) -> Reading:
    """A session's followers, from where a state was kept. Raises OtherChapter, BadSession."""
    portfolio, first = session.portfolio, first_chapter(session)
    log = chapter_message(first, 0).id
    snapshots = Snapshots(ports, "gateway", portfolio, Kept, FOLD, log)
    kept = await snapshots.load()
    read: Mapping[str, int] = {}
    if kept is not None and await _are_readable(ports, kept.read):
        live.resume(kept.state)
        read = kept.read
    else:
        live.open_chapter(first)
        read = await _oldest(ports, portfolio, live)
    return Reading(ports, live, followers(ports, portfolio, live, read), snapshots)


async def _are_readable(ports: Ports, read: Mapping[str, int]) -> bool:
    return all([await is_readable(ports.bus, lane, after) for lane, after in read.items()])


async def _oldest(ports: Ports, portfolio: Portfolio, live: LiveSession) -> Mapping[str, int]:
    """Open the chapters up to the oldest that the log still has; its place in each lane."""
    bus, run, name = ports.bus, portfolio.run, portfolio.name
    oldest = await oldest_readable(bus, run, name)
    if oldest is None or oldest.carried is None:
        return {}
    for standing in (await opened_chapters(bus, run, name))[1:]:
        if standing.number < oldest.number:  # its own opening is what is read first
            live.open_chapter(standing.chapter)
    live.begin_with(oldest.carried)
    return oldest.carried.sequences


def followers(
    ports: Ports, portfolio: Portfolio, live: LiveSession, read: Mapping[str, int]
) -> list[Follower]:
    """One for each lane of the portfolio; those that chapters add join the list when they open.
    read : up to which message each was read before.
    """
    found = list(_lanes(ports, portfolio, live, read))
    more = MoreFollowers(ports, portfolio, live, found)
    more.begin(read)
    live.on_chapter = more.follow
    return found


class MoreFollowers:
    """One for each model and for each version of a universe of any chapter, from the one on that
    adds it. followers : takes them.
    """

    def __init__(
        self, ports: Ports, portfolio: Portfolio, live: LiveSession, followers: list[Follower]
    ) -> None:
        self._ports, self._portfolio, self._live = ports, portfolio, live
        self._followers = followers
        self._known = set[str]()

    def begin(self, read: Mapping[str, int]) -> None:
        """Of the newest chapter's models and universes, and of those that were read before."""
        self._new(self._live.portfolio, read)

    def follow(self, portfolio: Portfolio) -> None:
        """A chapter has opened."""
        if added := self._new(portfolio, {}):
            key = f"{portfolio.run}.{portfolio.name}"
            self._ports.begin(key, Tasks(main=[one.run() for one in added]))

    def _new(self, portfolio: Portfolio, read: Mapping[str, int]) -> list[Follower]:
        new = [*self._signals(portfolio, read), *self._bars(portfolio, read)]
        self._followers += new
        return new

    def _signals(self, portfolio: Portfolio, read: Mapping[str, int]) -> Iterator[Follower]:
        live, lanes = self._live, [signals_lane(portfolio, one.name) for one in portfolio.active]
        for lane in self._unknown("signals", lanes, read):
            after = read.get(lane, 0)
            yield Follower(self._ports, lane, live.take_signals, after, is_ready=live.knows_signals)

    def _bars(self, portfolio: Portfolio, read: Mapping[str, int]) -> Iterator[Follower]:
        """A version that begins with a chapter is read from its first close in it on."""
        lanes = [bars_lane(portfolio, universe) for universe in portfolio.universes]
        for lane in self._unknown("bars", lanes, read):
            after, place = read.get(lane, 0), None
            if not after and (begins_after := self._live.begins_after.get(lane)) is not None:
                place = partial(place_after, self._ports.bus, lane, begins_after)
            yield Follower(self._ports, lane, self._live.take_bars, after, place)

    def _unknown(self, noun: str, lanes: Sequence[str], read: Mapping[str, int]) -> list[str]:
        """Lanes of a noun, and those that were read before, without those that are followed."""
        before = [lane for lane in read if lane.startswith(f"{noun}.")]
        added = [lane for lane in dict.fromkeys([*lanes, *before]) if lane not in self._known]
        self._known.update(added)
        return added


def _lanes(
    ports: Ports, portfolio: Portfolio, live: LiveSession, read: Mapping[str, int]
) -> Iterator[Follower]:
    """All lanes but those of models and universes."""
    orders, fills = orders_lane(portfolio), fills_lane(portfolio)
    yield OrdersFollower(
        ports, portfolio, live.take_decisions, live.open_chapter, read.get(orders, 0)
    )
    after = read.get(fills, 0)
    yield Follower(ports, fills, live.take_fills, after, is_ready=live.knows_fills)
    positions = positions_lane(portfolio)
    after = read.get(positions, 0)
    yield Follower(ports, positions, live.take_positions, after, is_ready=live.knows_positions)
