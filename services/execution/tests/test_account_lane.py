"""execution alone: an order is claimed, sent at most once, and its outcome is on record."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

import pytest

from stratvector.contracts.codecs import decode_fills_report
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.holds import Hold
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Acknowledgement, BrokerUnknown, Entry, Ports
from stratvector.runtime.simulation.broker_double import BrokerDouble, Identity
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Plan, When
from stratvector.runtime.simulation.key_value import SimulatedKeyValue
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.services.execution.account_lane import SETTLE_SECONDS
from stratvector.services.execution.wiring import build
from stratvector.trading.bars import ClosedBars
from stratvector.trading.executions import filled
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.ticks import TickBars
from stratvector.trading.unfit import Absurd
from tests.sessions.hand_fed import (
    decisions,
    feed,
    feed_bars,
    fills_lane,
    let_pass,
    order,
    orders_lane,
    payloads_of,
)
from tests.sessions.two_paces import AB, CLOSES, LAST, SESSION, A, B

SIDES: tuple[When, ...] = ("before", "after")
SENDING, ACCEPTED, FILLED = FillKind.SENDING, FillKind.ACCEPTED, FillKind.FILLED


def at_the_open(asked: ApprovedOrder, bar: ClosedBars) -> FillEvent | None:
    """The whole order, free of cost."""
    price = float(bar.open[bar.symbols.index(asked.symbol)])
    instrument = next(i for i in SESSION.portfolio.instruments if i.symbol == asked.symbol)
    times = (bar.open_time, bar.close_time)
    return filled(asked.order_id, instrument, asked.lots, price, 0, price, times)


@dataclass(frozen=True)
class Run:
    """What is left of a run."""

    world: World
    venue: BrokerDouble

    @property
    def reports(self) -> list[FillsReport]:
        return [decode_fills_report(p) for p in payloads_of(self.world, fills_lane(SESSION))]

    def events(self, asked: ApprovedOrder) -> list[FillEvent]:
        """An order's events, in the lane's order."""
        events = [event for report in self.reports for event in report.events]
        return [event for event in events if event.order_id == asked.order_id]

    def kinds(self, asked: ApprovedOrder) -> list[FillKind]:
        return [event.kind for event in self.events(asked)]

    def asked(self, effect: str) -> int:
        """How often execution came to an effect."""
        return self.world.effects["execution", effect]


def prepare(
    *plans: Plan,
    orders: dict[int, list[ApprovedOrder]] = AB,
    cancels: dict[int, list[ApprovedOrder]] | None = None,
    venue: BrokerDouble | None = None,
    instances: int = 1,
) -> Run:
    """The service alone on a venue's double, before four closes and hand-made decisions."""
    world = World(plans=plans)
    feed_bars(world, SESSION)
    feed(world, orders_lane(SESSION), decisions(SESSION, orders, cancels))
    broker = venue or BrokerDouble(at_the_open)
    deployment = Deployment(SESSION, MemoryLedgerStore(), lambda ports, account: broker)
    world.add("execution", partial(build, deployment), instances=instances)
    return Run(world, broker)


def finish(
    *plans: Plan,
    orders: dict[int, list[ApprovedOrder]] = AB,
    cancels: dict[int, list[ApprovedOrder]] | None = None,
    venue: BrokerDouble | None = None,
) -> Run:
    """All four closes."""
    run = prepare(*plans, orders=orders, cancels=cancels, venue=venue)
    run.world.run(until=["execution"])
    return run


def test_an_order_is_claimed_accepted_and_filled_at_its_next_bar() -> None:
    run = finish()
    assert run.kinds(A) == [SENDING, ACCEPTED, FILLED]
    assert run.kinds(B) == [SENDING, ACCEPTED, FILLED]
    assert run.events(A)[-1].known_time == CLOSES[1]
    assert run.events(B)[-1].known_time == CLOSES[2]
    assert run.venue.sent == [A.order_id, B.order_id]


def test_every_close_is_closed_once_and_reports_are_numbered() -> None:
    reports = finish().reports
    assert [r.closed for r in reports if r.closed is not None] == CLOSES
    assert [r.number for r in reports] == list(range(len(reports)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"lots": 10**7, "parts": (10**7,)}, "leaves an exposure of 100000000.00"),
        ({"lots": -(10**7), "parts": (-(10**7),)}, "leaves an exposure of 100000000.00"),
        ({"reference_price": Decimal(2)}, "reference_price of A is 2, but its last close was 10"),
    ],
)
def test_an_order_beyond_the_accounts_means_is_never_sent(change: dict[str, Any], why: str) -> None:
    run = prepare(orders={0: [replace(A, **change), B]})
    with pytest.raises(ProcessFailed) as failed:
        run.world.run(until=["execution"])
    assert isinstance(failed.value.error, Absurd)  # so that a process halts this lane and lives on
    assert why in str(failed.value.error)
    assert run.venue.sent == []
    assert run.kinds(B) == []


def test_a_decision_without_orders_leaves_only_the_closes() -> None:
    run = finish(orders={})
    assert [(r.closed, r.events) for r in run.reports] == [(close, ()) for close in CLOSES]


def test_an_order_claimed_by_an_owner_that_died_is_asked_for_and_never_sent() -> None:
    run = finish(CrashPlan("execution", "broker send", 1, "before"))
    assert run.venue.sent == []
    assert run.kinds(A) == run.kinds(B) == [SENDING, FillKind.ABANDONED]
    first, second = run.events(A)
    assert second.epoch > first.epoch


@pytest.mark.parametrize("reached", [True, False])
def test_an_order_of_before_a_restore_is_asked_for_and_never_sent(reached: bool) -> None:
    """The log knows no claim of it, as that came after the backup was made."""
    venue = BrokerDouble(at_the_open)
    if reached:
        venue._take(A)
    later = order(SESSION, "A", 2, index=1)
    world, kept = World(), SimulatedKeyValue()
    feed_bars(world, SESSION)
    feed(world, orders_lane(SESSION), decisions(SESSION, {0: [A], 1: [later]}))
    key = f"{SESSION.portfolio.run}.{SESSION.portfolio.name}"
    released = Hold(key, "digest", 1, CLOSES[0] + 1, released_by="ann", released_at=2)
    deployment = Deployment(SESSION, MemoryLedgerStore(), lambda ports, account: venue)

    kept.entries[key] = Entry(json.dumps(asdict(released)).encode(), 1)

    def make(ports: Ports) -> Tasks:
        return build(deployment, replace(ports, holds=kept))

    world.add("execution", make)
    world.run(until=["execution"])
    run = Run(world, venue)
    expected = [ACCEPTED, FILLED] if reached else [FillKind.ABANDONED]
    assert run.kinds(A) == [SENDING, *expected]
    assert venue.sent.count(A.order_id) == reached
    assert run.kinds(later) == [SENDING, ACCEPTED, FILLED]


def test_an_order_that_reached_the_venue_before_the_crash_is_found_there() -> None:
    run = finish(CrashPlan("execution", "broker send", 1, "after"))
    assert run.venue.sent == [A.order_id]
    assert run.kinds(A) == [SENDING, ACCEPTED, FILLED]
    assert run.kinds(B) == [SENDING, FillKind.ABANDONED]


@pytest.mark.parametrize(("when", "owner"), [("before", 2), ("after", 1)])
def test_a_claim_counts_when_it_is_stored(when: When, owner: int) -> None:
    """The third publish is the claim, after the owner's mark and the first close."""
    run = finish(CrashPlan("execution", "publish FILLS", 3, when))
    claim, outcome = run.events(A)[:2]
    assert (claim.epoch, outcome.epoch) == (owner, 2)
    assert run.venue.sent == ([] if when == "after" else [A.order_id, B.order_id])


def test_an_owner_that_slept_on_its_claim_does_not_send_any_more() -> None:
    asleep = Fate(pause_seconds=60.0, pause="after")
    run = prepare(FaultPlan("execution", "publish FILLS", 3, asleep), instances=2)
    let_pass(run.world, 120.0)
    assert run.venue.sent == []
    assert run.kinds(A) == [SENDING, FillKind.ABANDONED]
    assert run.world.losses["execution"] == 1


def test_a_rejection_is_on_record_with_its_text() -> None:
    venue = BrokerDouble(at_the_open, refuse=lambda order: "no margin" if order == A else None)
    run = finish(venue=venue)
    assert run.kinds(A) == [SENDING, FillKind.REJECTED]
    assert run.events(A)[-1].text == "no margin"
    assert run.kinds(B) == [SENDING, ACCEPTED, FILLED]


def test_a_send_without_an_answer_is_unknown_and_then_what_the_venue_says() -> None:
    run = finish(FaultPlan("execution", "broker send", 1, Fate(loss="answer")))
    assert run.kinds(A) == [SENDING, FillKind.UNKNOWN, ACCEPTED, FILLED]
    assert run.venue.sent.count(A.order_id) == 1


def test_a_send_that_never_arrived_is_abandoned_after_the_settle_time() -> None:
    lost = finish(FaultPlan("execution", "broker send", 1, Fate(loss="request")))
    assert lost.kinds(A) == [SENDING, FillKind.UNKNOWN, FillKind.ABANDONED]
    assert lost.asked("broker find") == 2
    unanswered = FaultPlan("execution", "broker send", 1, Fate(loss="answer"))
    assert lost.world.now - finish(unanswered).world.now == pytest.approx(SETTLE_SECONDS)
    assert lost.venue.sent == [B.order_id]


def test_an_order_that_shows_up_within_the_settle_time_is_not_abandoned() -> None:
    late = Fate(loss="late", out_seconds=3.0)
    run = finish(FaultPlan("execution", "broker send", 1, late))
    assert run.kinds(A) == [SENDING, FillKind.UNKNOWN, ACCEPTED, FILLED]
    assert run.venue.sent.count(A.order_id) == 1


class ForgetfulVenue(BrokerDouble):
    """It knows no order by its client's id for long."""

    async def find(self, order: ApprovedOrder) -> Acknowledgement | None:
        """Nothing, after the same way there and back."""
        await super().find(order)
        return None


def test_an_accepted_order_is_never_abandoned_however_little_the_venue_remembers() -> None:
    """Crash at the second close's matching: B works, and the log says that it was accepted."""
    crash = CrashPlan("execution", "broker events", 2, "before")
    run = finish(crash, venue=ForgetfulVenue(at_the_open))
    assert run.kinds(B) == [SENDING, ACCEPTED, FILLED]


def test_a_cancelled_order_has_one_cancellation_and_no_fill() -> None:
    run = finish(cancels={1: [B]})
    assert run.kinds(B) == [SENDING, ACCEPTED, FillKind.CANCELLED]
    assert run.events(B)[-1].known_time == CLOSES[1]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("effect", ["broker cancel", "publish FILLS"])
def test_a_crash_around_a_cancel_cancels_once(effect: str, when: When) -> None:
    occurrence = 1 if effect == "broker cancel" else finish().asked("publish FILLS") - 2
    run = finish(CrashPlan("execution", effect, occurrence, when), cancels={1: [B]})
    assert run.kinds(B) == [SENDING, ACCEPTED, FillKind.CANCELLED]
    assert run.world.crashes.total() == 1


def test_a_cancel_that_comes_too_late_leaves_the_fill_as_it_is() -> None:
    run = finish(cancels={1: [A], 2: [B]})
    assert run.kinds(A) == run.kinds(B) == [SENDING, ACCEPTED, FILLED]


def test_nobody_asks_the_venue_to_cancel_what_it_rejected() -> None:
    venue = BrokerDouble(at_the_open, refuse=lambda order: "no margin")
    assert finish(cancels={1: [B]}, venue=venue).asked("broker cancel") == 0


ORDERS = {0: [A, B], 1: [order(SESSION, "A", -5, 1)], 2: [order(SESSION, "B", 3, 2)]}


@pytest.mark.parametrize("identity", Identity)
def test_a_crash_at_every_effect_leaves_each_order_sent_at_most_once(identity: Identity) -> None:
    def attempt(*plans: Plan) -> Run:
        venue = BrokerDouble(at_the_open, identity)
        return finish(*plans, orders=ORDERS, cancels={1: [B]}, venue=venue)

    effects = {k: n for (name, k), n in attempt().world.effects.items() if name == "execution"}
    assert {"broker send", "broker cancel", "broker events", "publish FILLS"} <= set(effects)
    for effect, count in effects.items():
        for occurrence, when in product(range(1, count + 1), SIDES):
            run = attempt(CrashPlan("execution", effect, occurrence, when))
            assert broken_promises(run) == [], f"{when} {effect} {occurrence}"


def broken_promises(run: Run) -> list[str]:
    """What a crash must never do."""
    events = [event for report in run.reports for event in report.events]
    executions = [event.execution_id for event in events if event.kind is FILLED]
    closed = [r.closed for r in run.reports if r.closed is not None]
    once = [run.kinds(o).count(SENDING) for orders in ORDERS.values() for o in orders]
    promises = {
        "an order was sent twice": len(run.venue.sent) == len(set(run.venue.sent)),
        "an order was not claimed once": set(once) == {1},
        "a close was not closed once": closed == CLOSES,
        "an execution is missing": executions == [e.execution_id for e in run.venue.fills],
    }
    return [what for what, kept in promises.items() if not kept]


@pytest.mark.parametrize("when", ["before", "after"])
def test_on_the_simulated_broker_a_crash_changes_no_execution(when: When) -> None:
    def market_words(*plans: Plan) -> list[FillEvent]:
        world = World(plans=plans)
        feed_bars(world, SESSION)
        feed(world, orders_lane(SESSION), decisions(SESSION, AB, {1: [B]}))
        world.add("execution", partial(build, Deployment(SESSION, MemoryLedgerStore())))
        world.run(until=["execution"])
        reports = [decode_fills_report(p) for p in payloads_of(world, fills_lane(SESSION))]
        events = [event for report in reports for event in report.events]
        return [e for e in events if e.kind in (FILLED, FillKind.CANCELLED)]

    calm = market_words()
    assert [(e.symbol, e.kind) for e in calm] == [("A", FILLED), ("B", FillKind.CANCELLED)]
    for occurrence in range(1, 9):
        crash = CrashPlan("execution", "publish FILLS", occurrence, when)
        assert market_words(crash) == calm, occurrence


@pytest.mark.parametrize("simulated", [True, False])
def test_the_wiring_takes_the_deployments_broker_and_else_the_simulated_one(
    simulated: bool,
) -> None:
    world, venue = World(), BrokerDouble(at_the_open)
    feed_bars(world, SESSION)
    feed(world, orders_lane(SESSION), decisions(SESSION, AB))
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        broker = None if simulated else (lambda ports, account: venue)
        built.append(build(Deployment(SESSION, MemoryLedgerStore(), broker), ports))
        return built[-1]

    world.add("execution", remember)
    world.run(until=["execution"])
    assert [len(built[0].main), len(built[0].lanes)] == [1, 1]
    assert venue.sent == ([] if simulated else [A.order_id, B.order_id])
    assert Run(world, venue).kinds(A) == [SENDING, ACCEPTED, FILLED]


def kinds_of(reports: list[FillsReport]) -> list[list[FillKind]]:
    return [[event.kind for event in report.events] for report in reports]


@pytest.mark.parametrize("orders", [AB, {3: [LAST]}])
def test_a_venues_word_is_on_record_before_anything_else(
    orders: dict[int, list[ApprovedOrder]],
) -> None:
    claimed, answered = kinds_of(
        [report for report in finish(orders=orders).reports if report.closed is None]
    )
    assert set(claimed) == {SENDING}
    assert set(answered) == {ACCEPTED}


class AwayVenue(BrokerDouble):
    """Every question is left unanswered once."""

    def __init__(self) -> None:
        super().__init__(at_the_open)
        self.away = {"cancel", "events"}

    async def cancel(self, order_id: str) -> bool:
        self._answer("cancel")
        return await super().cancel(order_id)

    async def events_until(self, bars: TickBars) -> Sequence[FillEvent]:
        self._answer("events")
        return await super().events_until(bars)

    def _answer(self, question: str) -> None:
        if question in self.away:
            self.away.discard(question)
            raise BrokerUnknown(question)


def test_a_venue_that_is_away_is_asked_again() -> None:
    run = finish(cancels={1: [B]}, venue=AwayVenue())
    assert run.kinds(A) == [SENDING, ACCEPTED, FILLED]
    assert run.kinds(B) == [SENDING, ACCEPTED, FillKind.CANCELLED]
    assert run.world.now == pytest.approx(2 * SETTLE_SECONDS)
