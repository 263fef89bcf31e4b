"""What execution counts: each outcome once, and the time from approval to acknowledgement."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as open_metrics

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock
from stratvector.runtime.simulation.broker_double import BrokerDouble
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Plan
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.metrics import MARKET, OUTCOMES, OrderMetrics
from stratvector.services.execution.settings import ExecutionSettings
from stratvector.services.execution.wiring import SIMULATED, serve
from stratvector.trading.orders import ApprovedOrder
from tests.sessions.hand_fed import decisions, feed, feed_bars, order, orders_lane
from tests.sessions.scripted_sessions import Script, scripted_session

SESSION = scripted_session(
    Script({"A": [10.0] * 4, "B": [20.0] * 4}, {"model": {"A": [0.0] * 4}}, slow=("B",))
)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
A, B = order(SESSION, "A", 5, index=0), order(SESSION, "B", -3, index=0)


class Heard:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.acknowledgements = 0
        self.kinds: list[str] = []

    def acknowledged(self, approved_at: int, trace_id: str) -> None:
        self.acknowledgements += 1

    def published(self, events) -> None:  # type: ignore[no-untyped-def]
        self.kinds.extend(event.kind.name for event in events)


def heard(*plans: Plan, venue: BrokerDouble | None = None, orders: list[ApprovedOrder]) -> Heard:
    """What a meter hears of a whole session; a new owner goes on with the same meter."""
    meter, world = Heard(), World(plans=plans)
    feed_bars(world, SESSION)
    feed(world, orders_lane(SESSION), decisions(SESSION, {0: orders}, None))
    broker = venue or BrokerDouble(lambda asked, bar: None)

    def build(ports: Ports) -> Tasks:
        parts = (
            SESSION.portfolio,
            SESSION.portfolio.account_names[0],
            SESSION.start,
            first_chapter(SESSION),
            broker,
        )
        lane = AccountLane(ports, *parts, RunClock(ports.clock), meter)
        return Tasks([lane.run()], [lane.lane])

    world.add("execution", build)
    world.run(until=["execution"])
    return meter


def test_an_acknowledged_order_is_measured_and_each_event_told_once() -> None:
    meter = heard(orders=[A, B])
    assert meter.acknowledgements == 2
    assert [meter.kinds.count(kind) for kind in ("SENDING", "ACCEPTED")] == [2, 2]


def test_a_rejection_is_an_acknowledgement_too() -> None:
    refusing = BrokerDouble(lambda asked, bar: None, refuse=lambda asked: "no margin")
    meter = heard(venue=refusing, orders=[A])
    assert (meter.acknowledgements, meter.kinds) == (1, ["SENDING", "REJECTED"])


def test_an_order_whose_answer_was_lost_is_acknowledged_when_the_venue_finds_it() -> None:
    lost = FaultPlan("execution", "broker send", 1, Fate(loss="answer"))
    meter = heard(lost, orders=[A])
    assert (meter.acknowledgements, meter.kinds[:3]) == (1, ["SENDING", "UNKNOWN", "ACCEPTED"])


def test_an_order_that_never_arrived_is_no_acknowledgement() -> None:
    lost = FaultPlan("execution", "broker send", 1, Fate(loss="request"))
    meter = heard(lost, orders=[A])
    assert (meter.acknowledgements, meter.kinds) == (0, ["SENDING", "UNKNOWN", "ABANDONED"])


def test_what_an_earlier_owner_published_is_not_told_again() -> None:
    meter = heard(CrashPlan("execution", "broker send", 1, "after"), orders=[A])
    assert meter.kinds.count("SENDING") == 1
    assert meter.kinds.count("ACCEPTED") == 1
    assert meter.acknowledgements == 0


def registry_of(metrics: OrderMetrics) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in metrics.collectors:
        registry.register(collector)
    return registry


def test_latency_runs_from_the_time_in_the_log_and_is_left_out_when_nobody_told() -> None:
    metrics = OrderMetrics("simulated")
    registry = registry_of(metrics)

    def sample(name: str) -> float:
        labels = {"broker": "simulated", "type": MARKET}
        value = registry.get_sample_value(f"order_latency_seconds_{name}", labels)
        assert value is not None
        return value

    metrics.acknowledged(0, TRACE)
    assert sample("count") == 0
    metrics.acknowledged(time.time_ns() - 3_000_000_000, TRACE)
    assert sample("sum") >= 3.0
    metrics.acknowledged(time.time_ns() + 3_600_000_000_000, TRACE)
    assert (sample("count"), sample("sum") < 3_600.0) == (2, True)


def test_the_bucket_of_a_latency_names_a_trace_in_openmetrics_alone() -> None:
    metrics = OrderMetrics("simulated")
    registry = registry_of(metrics)
    metrics.acknowledged(time.time_ns() - 3_000_000_000, TRACE)
    metrics.acknowledged(time.time_ns() - 30_000_000_000, "")
    exposed: Any = open_metrics  # which the library does not type
    named = [line for line in exposed(registry).decode().splitlines() if TRACE in line]
    assert len(named) == 1
    assert named[0].startswith('order_latency_seconds_bucket{broker="simulated",le="5.0"')
    assert f'# {{trace_id="{TRACE}"}} 3.' in named[0]
    assert TRACE not in generate_latest(registry).decode()


def test_every_outcome_is_there_from_the_start_and_a_claim_is_none() -> None:
    registry = registry_of(OrderMetrics("simulated"))
    for outcome in OUTCOMES.values():
        assert (
            registry.get_sample_value("stratvector_order_outcomes_total", {"outcome": outcome}) == 0
        )
    assert (
        registry.get_sample_value("stratvector_order_outcomes_total", {"outcome": "sending"})
        is None
    )


def test_a_process_is_measured(tmp_path) -> None:  # type: ignore[no-untyped-def]
    made: list[Service] = []
    world = World()
    feed_bars(world, SESSION)
    feed(world, orders_lane(SESSION), decisions(SESSION, {0: [A]}, None))

    def build(ports: Ports) -> Tasks:
        deployment = Deployment(SESSION, MemoryLedgerStore())
        made.append(serve(ExecutionSettings(), ports))
        assert made[-1].begin is not None
        tasks = made[-1].begin(deployment)
        assert isinstance(tasks, Tasks)
        return tasks

    world.add("execution", build)
    world.run(until=["execution"])
    registry = CollectorRegistry()
    for collector in made[0].collectors:
        registry.register(collector)
    assert (
        registry.get_sample_value("stratvector_order_outcomes_total", {"outcome": "accepted"}) == 1
    )
    assert registry.get_sample_value("stratvector_order_outcomes_total", {"outcome": "filled"}) == 1
    labels = {"broker": SIMULATED, "type": MARKET}
    assert registry.get_sample_value("order_latency_seconds_count", labels) == 0
