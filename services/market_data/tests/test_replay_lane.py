"""market_data alone: bars up to 64 closes ahead of the decisions, and each of them once."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Clock, Ports
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Loss, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.services.market_data.replay import REST_SECONDS_PER_CLOSE
from stratvector.services.market_data.wiring import build as build_all
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.flow import BARS_AHEAD_MAX, hop
from stratvector.trading.identity import message_id
from stratvector.trading.session import Session
from tests.sessions.hand_fed import (
    bars_lane,
    decisions,
    feed,
    feed_chapter,
    feeder,
    let_pass,
    orders_lane,
    payloads_of,
)
from tests.sessions.scripted_sessions import Script, scripted_session

WARM_UP = 4


def session(closes: int, slow: bool = False) -> Session:
    """Symbol A every hour and, if asked for, B every two hours; hour 2 of A is missing."""
    prices: list[float | None] = [10.0 + hour for hour in range(closes)]
    gap = [*prices[:2], None, *prices[3:]]
    table = {"model": {"A": [0.0] * closes}}
    if not slow:
        return scripted_session(Script({"A": gap}, table, warmup=WARM_UP))
    return scripted_session(Script({"A": gap, "B": prices}, table, warmup=WARM_UP, slow=("B",)))


def build(deployment: Deployment, ports: Ports, closes_per_s_max: float | None = None) -> Tasks:
    """The lanes alone: what follows chapters ends with the decisions, of which few are fed here."""
    tasks = build_all(deployment, ports, closes_per_s_max)
    tasks.main[-1].close()
    return replace(tasks, main=tasks.main[:-1])


def start(world: World, replayed: Session) -> None:
    feed_chapter(world, replayed)
    world.add("market_data", partial(build, Deployment(replayed, MemoryLedgerStore())))


def published(world: World, replayed: Session, universe: str = "fast") -> list[ClosedBars]:
    return [decode_closed_bars(p) for p in payloads_of(world, bars_lane(replayed, universe))]


def test_the_warm_up_and_64_closes_come_before_any_decision() -> None:
    world, replayed = World(), session(90)
    start(world, replayed)
    let_pass(world, 60.0)
    assert len(published(world, replayed)) == WARM_UP + BARS_AHEAD_MAX


@pytest.mark.parametrize(("decided", "more"), [(1, 0), (32, 0), (33, 33), (40, 33), (66, 66)])
def test_closes_come_in_bursts_once_half_of_those_ahead_are_decided(
    decided: int, more: int
) -> None:
    world, replayed = World(), session(140)
    feed(world, orders_lane(replayed), decisions(replayed, {})[:decided])
    start(world, replayed)
    let_pass(world, 60.0)
    assert len(published(world, replayed)) == WARM_UP + BARS_AHEAD_MAX + more


@pytest.mark.parametrize(("ahead", "decided"), [(1, 1), (1, 5), (2, 5), (3, 5)])
def test_a_small_window_never_stands_still(ahead: int, decided: int) -> None:
    world, replayed = World(), session(20)
    feed(world, orders_lane(replayed), decisions(replayed, {})[:decided])
    deployment = Deployment(replayed, MemoryLedgerStore(), bars_ahead_max=ahead)
    feed_chapter(world, replayed)
    world.add("market_data", partial(build, deployment))
    let_pass(world, 60.0)
    assert len(published(world, replayed)) > WARM_UP + decided


def test_a_decision_that_comes_late_wakes_the_replay() -> None:
    world, replayed = World(), session(140)
    start(world, replayed)
    world.add("risk", feeder(orders_lane(replayed), decisions(replayed, {})[:33], 20.0))
    let_pass(world, 60.0)
    assert len(published(world, replayed)) == WARM_UP + BARS_AHEAD_MAX + 33


@dataclass(frozen=True)
class Noting:
    """A clock that notes how long it was slept on."""

    clock: Clock
    slept: list[float]

    def monotonic_seconds(self) -> float:
        return self.clock.monotonic_seconds()

    def utc_now(self) -> int:
        return self.clock.utc_now()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.clock.sleep(seconds)


@pytest.mark.parametrize(("ahead", "rests"), [(1, 0), (2, 0), (3, 0), (64, 1)])
def test_only_much_room_lets_decisions_lie_for_a_moment(ahead: int, rests: int) -> None:
    world, replayed, slept = World(), session(140), list[float]()
    deployment = Deployment(replayed, MemoryLedgerStore(), bars_ahead_max=ahead)

    def built(ports: Ports) -> Tasks:
        return build(deployment, replace(ports, clock=Noting(ports.clock, slept)))

    feed_chapter(world, replayed)
    world.add("market_data", built)
    world.add("risk", feeder(orders_lane(replayed), decisions(replayed, {}), 1.0))
    world.run(until=["market_data"])
    assert slept.count(REST_SECONDS_PER_CLOSE * (BARS_AHEAD_MAX // 2 - 1)) == rests
    assert not any(0.0 < seconds < REST_SECONDS_PER_CLOSE * 10 for seconds in slept)


def test_64_closes_are_counted_on_the_portfolios_schedule_not_on_the_universes() -> None:
    world, replayed = World(), session(160, slow=True)
    start(world, replayed)
    let_pass(world, 60.0)
    assert len(published(world, replayed, "fast")) == WARM_UP + BARS_AHEAD_MAX
    assert len(published(world, replayed, "slow")) == (WARM_UP + BARS_AHEAD_MAX) // 2


def test_every_close_is_published_as_it_was_recorded_missing_bars_too() -> None:
    world, replayed = World(), session(20)
    start(world, replayed)
    world.run(until=["market_data"])
    history = replayed.histories["fast"]
    sections = published(world, replayed)
    assert [s.close_time for s in sections] == history.bars.close_times.tolist()
    assert [s.open_time for s in sections] == history.open_times.tolist()
    for row, section in enumerate(sections):
        assert (section.universe, section.timeframe, section.symbols) == ("fast", "1H", ("A",))
        for name in FIELDS:
            recorded = getattr(history.bars, name)[row]
            np.testing.assert_array_equal(getattr(section, name), recorded)
    assert np.isnan(sections[2].close).all()


def test_ids_are_a_function_of_lane_and_close() -> None:
    world, replayed = World(), session(10)
    start(world, replayed)
    world.run(until=["market_data"])
    lane = bars_lane(replayed, "fast")
    closes = replayed.histories["fast"].bars.close_times.tolist()
    ids = [stored.message.id for stored in world.bus.contents(lane)]
    assert ids == [message_id(hop("bars").stream, lane, close) for close in closes]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("occurrence", [1, 2, 6, 11])
def test_a_new_owner_adopts_what_is_published(when: When, occurrence: int) -> None:
    """The first publish is the owner's mark."""
    replayed = session(10)
    world = World(plans=[CrashPlan("market_data", "publish BARS", occurrence, when)])
    start(world, replayed)
    world.run(until=["market_data"])
    closes = [section.close_time for section in published(world, replayed)]
    assert closes == replayed.histories["fast"].bars.close_times.tolist()
    assert world.crashes.total() == 1


@pytest.mark.parametrize("loss", ["request", "answer"])
def test_a_publish_without_an_answer_is_stored_once(loss: Loss) -> None:
    replayed = session(10)
    world = World(plans=[FaultPlan("market_data", "publish BARS", 5, Fate(loss=loss))])
    start(world, replayed)
    world.run(until=["market_data"])
    closes = [section.close_time for section in published(world, replayed)]
    assert closes == replayed.histories["fast"].bars.close_times.tolist()
    assert not world.losses


def test_the_wiring_builds_a_lane_and_its_keeper_per_universe() -> None:
    world, replayed = World(), session(20, slow=True)
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        built.append(build(Deployment(replayed, MemoryLedgerStore()), ports))
        return built[-1]

    feed_chapter(world, replayed)
    world.add("market_data", remember)
    world.run(until=["market_data"])
    assert [len(built[0].main), len(built[0].lanes)] == [2, 2]
    assert [len(published(world, replayed, name)) for name in ("fast", "slow")] == [20, 10]


def test_a_replay_with_a_tempo_publishes_the_same_bars_no_faster() -> None:
    replayed, seconds = session(30), {}
    kept = dict[float, list[bytes]]()
    for tempo in (1_000.0, 2.0):
        world = World()
        deployment = Deployment(replayed, MemoryLedgerStore())
        feed_chapter(world, replayed)
        world.add("market_data", partial(build, deployment, closes_per_s_max=tempo))
        world.run(until=["market_data"])
        seconds[tempo] = world.now
        kept[tempo] = payloads_of(world, bars_lane(replayed, "fast"))
    assert kept[2.0] == kept[1_000.0]
    assert len(kept[2.0]) == 30
    # 26 closes without the warm-up: the last is due 25 halves of a second after the first.
    assert seconds[2.0] >= 12.5 > seconds[1_000.0]


def test_nothing_is_published_before_the_chapter_says_which_bars() -> None:
    world, replayed = World(), session(10)
    world.add("market_data", partial(build, Deployment(replayed, MemoryLedgerStore())))
    let_pass(world, 60.0)
    assert published(world, replayed) == []


def test_bars_that_are_not_the_chapters_are_refused_and_none_is_published() -> None:
    world, replayed = World(), session(10)
    feed_chapter(world, session(11))
    world.add("market_data", partial(build, Deployment(replayed, MemoryLedgerStore())))
    with pytest.raises(ProcessFailed, match="bars of universe fast are not those") as failed:
        world.run(until=["market_data"])
    assert isinstance(failed.value.error, OtherChapter)
    assert published(world, replayed) == []
