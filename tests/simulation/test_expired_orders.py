"""An order whose time is over is never sent to a broker outside the log, whoever was away and for
however long: the host's UTC is asked right before each send, and the order's end is on record.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Build, Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Acknowledgement, Ports
from stratvector.runtime.run_clock import RunClock, TimeMap
from stratvector.runtime.simulation.broker_double import BrokerDouble, Identity
from stratvector.runtime.simulation.clock import UTC_ORIGIN, SimulatedClock
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.market_data.wiring import build as build_market_data
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.session import Session
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, breaches_of, broker_double, run_flow

SHAPE = Shape(universes=1, symbols=2, models=2, closes=20, warmup=2)
SECONDS_PER_CLOSE = 10.0
SKEW_SECONDS = 1.0  # the world's, of any host
STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)
SEEDS = 10


class TimedDouble(BrokerDouble):
    """A venue that notes when an order left for it.

    left : the order with the world's UTC. utc : set by the service.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.left: list[tuple[ApprovedOrder, int]] = []
        self.utc: Callable[[], int] = lambda: 0

    async def send(self, order: ApprovedOrder, epoch: int) -> Acknowledgement:
        self.left.append((order, self.utc()))
        return await super().send(order, epoch)


def times_of(session: Session) -> TimeMap:
    """A clock on which bars come a little after they close."""
    closes = session.histories[session.portfolio.universes[0].name].bars.close_times.tolist()
    rate = (closes[1] - closes[0]) / NANOSECONDS_PER_SECOND / SECONDS_PER_CLOSE
    return TimeMap(closes[0], UTC_ORIGIN, rate)


def run(
    seed: int,
    plans: Sequence[Plan],
    faults: Faults,
    run: str = "paper.1",
    instances: int = 1,
    closes_per_chapter: int = 5_000,
) -> tuple[Flow, TimedDouble]:
    """Over bars that come one by one, at a venue."""
    session = generated_session(seed, SHAPE)
    session = replace(session, portfolio=replace(session.portfolio, run=run))
    times, double = times_of(session), broker_double(session, Identity.NOT_UNIQUE, TimedDouble)
    assert isinstance(double, TimedDouble)

    def build(deployment: Deployment, ports: Ports) -> Tasks:
        clock = ports.clock
        assert isinstance(clock, SimulatedClock)
        double.utc = lambda: times.utc(
            UTC_ORIGIN + round(NANOSECONDS_PER_SECOND * clock._scheduler.now)
        )

        def make() -> Tasks:
            parts = (
                session.portfolio,
                session.portfolio.account_names[0],
                session.start,
                first_chapter(session),
                double,
            )
            account = AccountLane(ports, *parts, RunClock(clock, times))
            return Tasks([account.run()], [account.lane])

        return Tasks.of([make])

    paced = partial(build_market_data, closes_per_s_max=1.0 / SECONDS_PER_CLOSE)
    replaced: dict[str, Build] = {"execution": build, "market_data": paced}
    flow = run_flow(
        session,
        seed,
        faults,
        plans,
        instances=instances,
        closes_per_chapter=closes_per_chapter,
        venue=double,
        replaced=replaced,
    )
    return flow, double


def too_late(flow: Flow, double: TimedDouble) -> list[str]:
    """Orders that left after their time, as the host's UTC had it at best."""
    slack = round(SKEW_SECONDS * NANOSECONDS_PER_SECOND * times_of(flow.session).rate)
    return [
        f"{order.order_id} left {(utc - order.expires_at) / NANOSECONDS_PER_SECOND:g} s too late"
        for order, utc in double.left
        if 0 < order.expires_at <= utc - slack
    ]


def unsent(flow: Flow) -> list[FillEvent]:
    """The ends of orders that were never sent."""
    ended = [event for event in flow.events if event.kind is FillKind.EXPIRED]
    return [event for event in ended if event.text]


def away(occurrence: int, seconds: float) -> FaultPlan:
    """Execution stops before one of its publishes, or right before a send."""
    return FaultPlan("execution", "publish FILLS", occurrence, Fate(pause_seconds=seconds))


def test_orders_that_expired_while_execution_was_away_are_ended_and_never_sent() -> None:
    found = 0
    for seed in range(SEEDS):
        flow, double = run(seed, [away(4 + seed, 35.0)], Faults(delay_seconds_max=0.05))
        assert breaches_of(flow) == []
        assert too_late(flow, double) == []
        ended = {event.order_id for event in unsent(flow)}
        assert not ended & set(double.sent)
        # The room that an order took is free again, so later ones are sent.
        assert double.sent
        found += len(ended)
    assert found > SEEDS // 2


def test_nothing_expires_before_a_send_while_all_are_there() -> None:
    for seed in range(SEEDS):
        flow, double = run(seed, [], Faults(delay_seconds_max=0.05))
        assert breaches_of(flow) == []
        assert unsent(flow) == []
        assert double.sent


def test_a_replay_asks_no_clock() -> None:
    flow, _ = run(1, [away(5, 35.0)], Faults(delay_seconds_max=0.05), "replay.1")
    assert breaches_of(flow) == []
    assert unsent(flow) == []


def test_storms_send_no_order_after_its_time(say: Callable[[str], None]) -> None:
    found = 0
    for seed in range(SEEDS):
        crash = CrashPlan("execution", "broker send", 1 + seed % 4, ("before", "after")[seed % 2])
        plans: list[Plan] = [away(3 + 2 * seed, 40.0), crash]
        flow, double = run(seed, plans, STORMY, "paper.1", 1 + seed % 2, (3, 5_000)[seed % 2])
        assert breaches_of(flow) == [], f"seed {seed}"
        assert too_late(flow, double) == [], f"seed {seed}"
        found += len(unsent(flow))
    assert found
    say(f"{SEEDS} storms, {found} orders expired before they were sent")


def never(self: AccountLane, order: ApprovedOrder) -> bool:
    """Planted: nobody looks at the clock."""
    return False


def test_an_order_that_is_sent_after_its_time_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(AccountLane, "_has_expired", never)
    found = list[str]()
    for seed in range(SEEDS):
        found += too_late(*run(seed, [away(4 + seed, 35.0)], Faults(delay_seconds_max=0.05)))
    assert found
    say(f"planted: expiry is not looked at, caught by {found[0]}")
