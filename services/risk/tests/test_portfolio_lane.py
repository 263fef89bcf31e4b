"""risk alone: one decision per close, on exactly what its cut names, and never decided twice."""

from functools import partial

import pytest

from stratvector.contracts.codecs import decode_decision
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.runtime.unfit_messages import OutOfStep
from stratvector.services.risk.wiring import build
from stratvector.trading.executions import filled
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder, Decision
from stratvector.trading.reasons import Outcome
from stratvector.trading.session import Session
from stratvector.trading.unfit import StrayExecution
from tests.sessions.hand_fed import (
    bars_lane,
    decisions,
    feed,
    feed_bars,
    feed_signals,
    fills_lane,
    let_pass,
    order,
    orders_lane,
    payloads_of,
    report,
    signals_lane,
)
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session

HALF = [0.5] * 4
SESSION = one_symbol([10.0] * 4, HALF)  # 10,000 in cash: half of it is 500 lots
CLOSES = SESSION.schedule.close_times.tolist()
LANES = ("bars", "signals", "fills")


def fill(asked: ApprovedOrder, lots: int, close_time: int) -> FillEvent:
    """An execution at 10, free of cost."""
    instrument = SESSION.portfolio.instruments[0]
    return filled(asked.order_id, instrument, lots, 10.0, 0, 10.0, (close_time, close_time))


def closes_only(session: Session) -> list[bytes]:
    closes = session.schedule.close_times.tolist()
    return [report(session, n, closed=close) for n, close in enumerate(closes)]


def start(
    world: World, session: Session, fills: list[bytes], lanes: tuple[str, ...] = LANES
) -> None:
    """The service on hand-fed lanes."""
    if "bars" in lanes:
        feed_bars(world, session)
    if "signals" in lanes:
        feed_signals(world, session)
    if "fills" in lanes:
        feed(world, fills_lane(session), fills)
    world.add("risk", partial(build, Deployment(session, MemoryLedgerStore())))


def finish(fills: list[bytes], *plans: Plan, session: Session = SESSION) -> World:
    world = World(plans=plans)
    start(world, session, fills)
    world.run(until=["risk"])
    return world


def decided(world: World, session: Session = SESSION) -> list[Decision]:
    return [decode_decision(payload) for payload in payloads_of(world, orders_lane(session))]


def filling(asked: ApprovedOrder) -> list[bytes]:
    """The order fills whole at the second close."""
    event = fill(asked, asked.lots, CLOSES[1])
    return [
        report(SESSION, 0, closed=CLOSES[0]),
        report(SESSION, 1, [FillEvent(FillKind.SENDING, asked.order_id, "A")]),
        report(SESSION, 2, [event], closed=CLOSES[1]),
        report(SESSION, 3, closed=CLOSES[2]),
        report(SESSION, 4, closed=CLOSES[3]),
    ]


WANTED = order(SESSION, "A", 500, index=0)


def test_there_is_one_decision_per_close_of_the_schedule() -> None:
    made = decided(finish(filling(WANTED)))
    assert [decision.close_time for decision in made] == CLOSES
    assert [[o.lots for o in decision.orders] for decision in made] == [[500], [], [], []]
    assert made[0].orders[0].order_id == WANTED.order_id
    assert made[0].orders[0].expires_at == CLOSES[1]


def test_the_cut_names_what_the_decision_used() -> None:
    world = finish(filling(WANTED))
    bars = [s.message.id for s in world.bus.contents(bars_lane(SESSION, "fast"))]
    signals = [s.message.id for s in world.bus.contents(signals_lane(SESSION, "model"))]
    fills = [s.sequence for s in world.bus.contents(fills_lane(SESSION))]
    cuts = [decision.cut for decision in decided(world)]
    assert [cut.bars for cut in cuts] == [{"fast": identity} for identity in bars]
    assert [cut.signals for cut in cuts] == [{"model": identity} for identity in signals]
    assert [cut.fills_sequence for cut in cuts] == [fills[0], *fills[2:]]
    assert {cut.multipliers for cut in cuts} == {(1.0,)}


def test_only_universes_that_close_are_in_the_cut() -> None:
    weights = {"quick": {"A": [0.2] * 4}, "lazy": {"B": [0.2] * 4}}
    session = scripted_session(Script({"A": [10.0] * 4, "B": [10.0] * 4}, weights, slow=("B",)))
    cuts = [d.cut for d in decided(finish(closes_only(session), session=session), session)]
    assert [sorted(cut.bars) for cut in cuts] == [["fast", "slow"], ["fast"]] * 2
    assert [sorted(cut.signals) for cut in cuts] == [["lazy", "quick"], ["quick"]] * 2


@pytest.mark.parametrize("missing", LANES)
def test_no_decision_is_made_before_bars_signals_and_fills_are_there(missing: str) -> None:
    world = World()
    start(world, SESSION, filling(WANTED), tuple(lane for lane in LANES if lane != missing))
    let_pass(world, 120.0)
    assert decided(world) == []


def test_a_decision_waits_for_the_close_of_its_fills() -> None:
    world = World()
    start(world, SESSION, filling(WANTED)[:2])
    let_pass(world, 120.0)
    assert [decision.close_time for decision in decided(world)] == CLOSES[:1]


def test_a_symbol_is_frozen_until_its_order_has_ended() -> None:
    made = decided(finish(closes_only(SESSION)))
    assert [decision.symbols[0].outcome for decision in made[1:]] == [Outcome.WORKING] * 3


@pytest.mark.parametrize(
    "kind", [FillKind.REJECTED, FillKind.ABANDONED, FillKind.EXPIRED, FillKind.CANCELLED]
)
def test_an_order_that_ended_without_a_fill_is_planned_anew_under_a_new_id(kind: FillKind) -> None:
    fills = closes_only(SESSION)
    fills[1] = report(SESSION, 1, [FillEvent(kind, WANTED.order_id, "A")], closed=CLOSES[1])
    first, second = decided(finish(fills))[:2]
    assert [o.lots for o in second.orders] == [500]
    assert second.orders[0].order_id != first.orders[0].order_id


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("occurrence", [1, 2, 3, 4, 5])
def test_a_crash_around_a_decision_changes_none(occurrence: int, when: When) -> None:
    """The first publish is the owner's mark."""
    calm = payloads_of(finish(filling(WANTED)), orders_lane(SESSION))
    world = finish(filling(WANTED), CrashPlan("risk", "publish ORDERS", occurrence, when))
    assert payloads_of(world, orders_lane(SESSION)) == calm
    assert world.crashes.total() == 1


def test_a_decision_in_the_log_is_adopted_as_it_is_and_its_order_counts() -> None:
    """An earlier owner approved 7 lots where this one would have approved 500."""
    seven = order(SESSION, "A", 7, index=0)
    left = decisions(SESSION, {0: [seven]})[:1]
    world = World()
    feed(world, orders_lane(SESSION), left)
    start(world, SESSION, filling(seven))
    world.run(until=["risk"])
    assert payloads_of(world, orders_lane(SESSION))[0] == left[0]
    made = decided(world)
    assert [decision.close_time for decision in made] == CLOSES
    assert [o.lots for o in made[1].orders] == [493]


def test_signals_of_another_close_stop_the_lane() -> None:
    world, late = World(), one_symbol([10.0] * 4, HALF, warmup=1)
    feed_bars(world, SESSION)
    feed_signals(world, late)
    feed(world, fills_lane(SESSION), closes_only(SESSION))
    world.add("risk", partial(build, Deployment(SESSION, MemoryLedgerStore())))
    with pytest.raises(ProcessFailed) as failed:
        world.run(until=["risk"])
    assert isinstance(failed.value.error, OutOfStep)
    assert decided(world) == []


def test_an_execution_of_an_order_that_is_not_working_stops_the_lane() -> None:
    stranger = order(SESSION, "A", 3, index=2)
    with pytest.raises(ProcessFailed) as failed:
        finish(filling(stranger))
    assert isinstance(failed.value.error, StrayExecution)


def test_the_wiring_builds_one_lane_and_its_keeper() -> None:
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        built.append(build(Deployment(SESSION, MemoryLedgerStore()), ports))
        return built[-1]

    world = World()
    feed_bars(world, SESSION)
    feed_signals(world, SESSION)
    feed(world, fills_lane(SESSION), filling(WANTED))
    world.add("risk", remember)
    world.run(until=["risk"])
    assert [len(built[0].main), len(built[0].lanes)] == [1, 1]
    assert len(decided(world)) == len(CLOSES)
