"""execution on the simulated broker: its word travels with the next close when it can."""

from functools import partial

import pytest

from stratvector.contracts.codecs import decode_fills_report
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.execution.wiring import build
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.orders import ApprovedOrder
from tests.sessions.hand_fed import (
    bars_lane,
    bars_of,
    decisions,
    feed,
    feed_bars,
    feeder,
    fills_lane,
    orders_lane,
    payloads_of,
)
from tests.sessions.two_paces import AB, CLOSES, LAST, SESSION, A, B

SIDES: tuple[When, ...] = ("before", "after")
SENDING, ACCEPTED, FILLED = FillKind.SENDING, FillKind.ACCEPTED, FillKind.FILLED


def simulated(
    *plans: Plan, orders: dict[int, list[ApprovedOrder]] = AB, pause_seconds: float = 0.0
) -> World:
    """The service after all its bars are there, or with a pause before each of them."""
    world = World(plans=plans)
    feed(world, orders_lane(SESSION), decisions(SESSION, orders))
    if pause_seconds:
        for universe in SESSION.portfolio.universes:
            lane, bars = bars_lane(SESSION, universe.name), bars_of(SESSION, universe)
            world.add(lane, feeder(lane, bars, pause_seconds=pause_seconds))
    else:
        feed_bars(world, SESSION)
    world.add("execution", partial(build, Deployment(SESSION, MemoryLedgerStore())))
    world.run(until=["execution"])
    return world


def reports_in(world: World) -> list[FillsReport]:
    return [decode_fills_report(payload) for payload in payloads_of(world, fills_lane(SESSION))]


def events_of(world: World, asked: ApprovedOrder) -> list[FillEvent]:
    """An order's events, in the lane's order."""
    events = [event for report in reports_in(world) for event in report.events]
    return [event for event in events if event.order_id == asked.order_id]


def kinds_of(events: list[FillEvent] | tuple[FillEvent, ...]) -> list[FillKind]:
    return [event.kind for event in events]


def test_the_simulated_brokers_word_travels_with_the_next_close() -> None:
    world = simulated()
    reports = reports_in(world)
    assert [report.closed for report in reports] == CLOSES
    assert kinds_of(reports[1].events) == [SENDING, SENDING, ACCEPTED, ACCEPTED, FILLED]
    for asked in (A, B):
        assert kinds_of(events_of(world, asked)) == [SENDING, ACCEPTED, FILLED]


def test_the_simulated_brokers_word_does_not_wait_for_bars_that_are_late() -> None:
    world = simulated(pause_seconds=60.0)
    reports = reports_in(world)
    assert [report.closed for report in reports if report.closed] == CLOSES
    assert kinds_of(reports[1].events) == [SENDING, SENDING, ACCEPTED, ACCEPTED]
    assert reports[1].closed is None
    for asked in (A, B):
        assert kinds_of(events_of(world, asked)) == [SENDING, ACCEPTED, FILLED]


def test_the_last_decisions_outcomes_are_published_too() -> None:
    reports = reports_in(simulated(orders={3: [LAST]}))
    assert kinds_of(reports[-1].events) == [SENDING, ACCEPTED]


@pytest.mark.parametrize("pause_seconds", [0.0, 60.0])
def test_a_crash_at_any_publish_changes_nothing_of_the_simulated_broker(
    pause_seconds: float,
) -> None:
    calm = simulated(pause_seconds=pause_seconds)
    for occurrence in range(1, calm.effects["execution", "publish FILLS"] + 1):
        for when in SIDES:
            crash = CrashPlan("execution", "publish FILLS", occurrence, when)
            world = simulated(crash, pause_seconds=pause_seconds)
            assert world.crashes.total() == 1
            for asked in (A, B):
                events, calmly = events_of(world, asked), events_of(calm, asked)
                assert kinds_of(events) == kinds_of(calmly)
                assert events[-1] == calmly[-1]
