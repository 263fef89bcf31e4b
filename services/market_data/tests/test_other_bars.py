"""A lane that is here already is of certain bars: who means others by it is told."""

import pytest

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.market_data.loading import BarsUnavailable
from stratvector.services.market_data.recordings import MemoryRecordings
from stratvector.services.market_data.universe_feeds import Pace, UniverseFeeds
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named

SHAPE = Shape(1, 2, 1, closes=6)
FIRST = named(generated_session(1, SHAPE), "first", "replay.a")
SAME = named(FIRST, "same", "replay.a")
ELSE = named(generated_session(2, SHAPE), "else", "replay.a")


def test_the_second_portfolio_with_other_bars_is_refused_and_the_same_bars_have_one_lane() -> None:
    lanes = list[int]()

    async def begin(feeds: UniverseFeeds, session: Session) -> None:
        tasks = await feeds.begin(Deployment(session, MemoryLedgerStore()))
        lanes.append(len(tasks.lanes))
        for coroutine in tasks.main:
            coroutine.close()

    async def script(ports: Ports) -> None:
        feeds = UniverseFeeds(ports, MemoryRecordings([FIRST, SAME, ELSE]), Pace(64))
        await begin(feeds, FIRST)
        await begin(feeds, SAME)
        with pytest.raises(BarsUnavailable, match=r"replay.a.else: the bars of bars\.replay\.a\."):
            await begin(feeds, ELSE)

    world = World(3)
    world.add("script", lambda ports: Tasks([script(ports)]))
    world.run(until=["script"])
    assert lanes == [1, 0]
