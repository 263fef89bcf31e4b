"""ledger alone: the flow's messages become one entry per close, and positions after fills."""

from collections.abc import Coroutine
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Any

import pytest

from stratvector.contracts.codecs import (
    decode_fills_report,
    decode_positions,
    encode_fills_report,
)
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports, Stored
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.services.ledger.wiring import build
from stratvector.trading.fills import FillKind
from stratvector.trading.lanes import positions_lane
from stratvector.trading.ledger import LedgerEntry, Positions
from stratvector.trading.unfit import StrayExecution
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.hand_fed import (
    feed,
    feed_bars,
    feeder,
    fills_lane,
    orders_lane,
    payloads_of,
    signals_lane,
)
from tests.sessions.simulated_flow import run_flow

SESSION = generated_session(1, Shape(2, 2, 3, closes=25))
FLOW = run_flow(SESSION)
SLOW_SECONDS = 30.0  # between decisions, so that each finds the ledger waiting
SIDES: tuple[When, ...] = ("before", "after")


class CountedStore(MemoryLedgerStore):
    """It remembers every commit that it was asked for, and how many of them were of old closes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.again = 0

    def _write(self, entry: LedgerEntry) -> None:
        if entry.close_time in self.entries:
            self.again += 1
        else:
            self.asked.append(entry.close_time)
        super()._write(entry)


class LazyStore(CountedStore):
    """Closes are durable in groups of three; a new owner's first question finds the rest gone, as
    a crash would have it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[LedgerEntry] = []

    def _last(self, run: str, portfolio: str) -> int | None:
        self.pending.clear()
        return super()._last(run, portfolio)

    def _write(self, entry: LedgerEntry) -> None:
        self.pending.append(entry)
        last = entry.close_time == SESSION.schedule.close_times[-1]
        if len(self.pending) == 3 or last:
            for waiting in self.pending:
                super()._write(waiting)
            self.pending.clear()


def fed_world(*plans: Plan, fills: list[bytes] | None = None, pause_seconds: float = 0.0) -> World:
    """All lanes that the ledger reads, as the flow's other services filled them, or other fills;
    with a pause, decisions come while the ledger runs.
    """
    world = World(plans=plans)
    feed_bars(world, SESSION)
    for model in SESSION.portfolio.models:
        lane = signals_lane(SESSION, model.name)
        feed(world, lane, payloads_of(FLOW.world, lane))
    feed(world, fills_lane(SESSION), fills or payloads_of(FLOW.world, fills_lane(SESSION)))
    decisions = payloads_of(FLOW.world, orders_lane(SESSION))
    if pause_seconds:
        lane = orders_lane(SESSION)
        world.add("decisions", feeder(lane, decisions, pause_seconds=pause_seconds))
    else:
        feed(world, orders_lane(SESSION), decisions)
    return world


def fills_with_a_stray_execution() -> tuple[list[bytes], int]:
    """The flow's reports, the first execution under the name of another order; which report."""
    payloads = payloads_of(FLOW.world, fills_lane(SESSION))
    reports = [decode_fills_report(payload) for payload in payloads]
    place = next(n for n, r in enumerate(reports) if any(e.execution_id for e in r.events))
    events = tuple(
        replace(event, order_id="another") if event.execution_id else event
        for event in reports[place].events
    )
    payloads[place] = encode_fills_report(replace(reports[place], events=events))
    return payloads, place


def finish(
    *plans: Plan, store: CountedStore | None = None, pause_seconds: float = 0.0
) -> tuple[World, CountedStore]:
    world, store = fed_world(*plans, pause_seconds=pause_seconds), store or CountedStore()
    world.add("ledger", partial(build, Deployment(SESSION, store)))
    world.run(until=["ledger"])
    return world, store


def positions_in(world: World) -> list[Positions]:
    lane = positions_lane(SESSION.portfolio)
    return [decode_positions(payload) for payload in payloads_of(world, lane)]


def told_in_order(published: list[Positions], calm: World) -> bool:
    """Whether positions are some of a calm run's, numbered anew, and end with its last."""
    calmly = {positions.close_time: positions for positions in positions_in(calm)}
    closes = [positions.close_time for positions in published]
    is_so = all(p == replace(calmly[p.close_time], number=n) for n, p in enumerate(published))
    return is_so and closes == sorted(set(closes)) and closes[-1] == max(calmly)


def traded(entry: LedgerEntry) -> bool:
    return any(event.kind is FillKind.FILLED for event in entry.events)


def test_each_close_is_committed_once_in_its_order() -> None:
    _, store = finish()
    assert store.asked == SESSION.schedule.close_times.tolist()
    assert list(store.entries.values()) == FLOW.entries


def test_a_record_that_catches_up_publishes_the_newest_positions_alone() -> None:
    world, store = finish()
    entries = [entry for entry in store.entries.values() if traded(entry)]
    published = positions_in(world)
    assert 1 < len(entries) < len(store.entries)
    assert [(p.number, p.close_time) for p in published] == [(0, entries[-1].close_time)]


def test_positions_follow_fills_and_nothing_else() -> None:
    world, store = finish(pause_seconds=SLOW_SECONDS)
    entries = [entry for entry in store.entries.values() if traded(entry)]
    published = positions_in(world)
    assert 1 < len(entries) < len(store.entries)
    assert [p.close_time for p in published] == [entry.close_time for entry in entries]
    assert [p.number for p in published] == list(range(len(entries)))


def test_positions_say_what_the_entry_says_to_eight_decimals() -> None:
    world, store = finish(pause_seconds=SLOW_SECONDS)
    for positions in positions_in(world):
        entry = store.entries[positions.close_time]
        assert positions.positions == entry.positions
        for told, exact in ((positions.cash, entry.cash), (positions.equity, entry.equity)):
            assert told == exact.quantize(Decimal("1e-8"), ROUND_HALF_EVEN)


def test_the_models_add_up_to_the_whole_exactly() -> None:
    _, store = finish()
    start = SESSION.portfolio.initial_cash
    for entry in store.entries.values():
        assert start + sum(model.cash for model in entry.models) == entry.cash
        assert start + sum(model.equity for model in entry.models) == entry.equity
        for symbol in SESSION.portfolio.symbols:
            lots = sum(model.positions.get(symbol, 0) for model in entry.models)
            assert lots == entry.positions.get(symbol, 0)
        fills = {e.execution_id: e.lots for e in entry.events if e.kind is FillKind.FILLED}
        assert {execution: sum(parts) for execution, parts in entry.attributed} == fills


def test_equity_ties_out_with_the_engines() -> None:
    _, store = finish()
    for entry in store.entries.values():
        assert abs(entry.equity - Decimal(entry.decision.equity)) <= Decimal("1e-6")


def test_an_entry_holds_the_closes_signals_decision_and_events() -> None:
    _, store = finish()
    for index, close_time in enumerate(SESSION.schedule.close_times.tolist()):
        entry, universes = store.entries[close_time], SESSION.schedule.universes_at(index)
        closing = [m.name for m in SESSION.portfolio.models if m.universe in universes]
        assert [signals.model for signals in entry.signals] == closing
        assert {signals.close_time for signals in entry.signals} == {close_time}
        assert entry.decision.close_time == close_time


@pytest.mark.parametrize("effect", ["store commit", "publish POSITIONS", "store read"])
def test_a_crash_anywhere_commits_and_publishes_each_close_once(effect: str) -> None:
    calm, _ = finish(pause_seconds=SLOW_SECONDS)
    for occurrence in range(1, calm.effects["ledger", effect] + 1):
        for when in SIDES:
            crash = CrashPlan("ledger", effect, occurrence, when)
            world, store = finish(crash, pause_seconds=SLOW_SECONDS)
            where = f"{when} {effect} {occurrence}"
            assert world.crashes.total() == 1, where
            assert store.asked == SESSION.schedule.close_times.tolist(), where
            assert list(store.entries.values()) == FLOW.entries, where
            assert told_in_order(positions_in(world), calm), where
            assert store.again <= 1, where


@pytest.mark.parametrize("effect", ["store commit", "publish POSITIONS"])
def test_closes_that_were_not_durable_at_a_crash_are_committed_again(effect: str) -> None:
    calm, _ = finish()
    for occurrence in range(1, calm.effects["ledger", effect] + 1):
        for when in SIDES:
            crash = CrashPlan("ledger", effect, occurrence, when)
            world, store = finish(crash, store=LazyStore())
            where = f"{when} {effect} {occurrence}"
            assert store.asked == SESSION.schedule.close_times.tolist(), where
            assert list(store.entries.values()) == FLOW.entries, where
            assert positions_in(world) == positions_in(calm), where


def test_a_store_that_was_filled_from_another_log_is_refused() -> None:
    _, store = finish()
    newest = store.entries.popitem()[1]
    store.entries[newest.close_time] = replace(newest, cash=newest.cash + 1)
    world = fed_world()
    world.add("ledger", partial(build, Deployment(SESSION, store)))
    with pytest.raises(ProcessFailed, match="is not what the log says"):
        world.run(until=["ledger"])


def test_a_store_that_is_ahead_of_nothing_is_filled_by_a_second_ledger_from_the_log() -> None:
    world, first = finish()
    copy = CountedStore()
    world.add("another ledger", partial(build, Deployment(SESSION, copy)))
    world.run(until=["another ledger"])
    assert copy.entries == first.entries
    assert len(positions_in(world)) == 1


def test_a_stray_execution_stops_the_record_at_the_report_that_told_of_it() -> None:
    fills, place = fills_with_a_stray_execution()
    at_hand = list[Stored | None]()

    async def watched(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StrayExecution:
            at_hand.append(AT_HAND.get())
            raise

    def build_watched(ports: Ports) -> Tasks:
        tasks = build(Deployment(SESSION, MemoryLedgerStore()), ports)
        return replace(tasks, main=[watched(work) for work in tasks.main])

    world = fed_world(fills=fills)
    world.add("ledger", build_watched)
    with pytest.raises(ProcessFailed, match="another, which is not working"):
        world.run(until=["ledger"])
    (met,) = at_hand
    assert met is not None
    assert (met.message.subject, met.message.payload) == (fills_lane(SESSION), fills[place])


def test_the_wiring_builds_one_record_and_its_keeper() -> None:
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        built.append(build(Deployment(SESSION, MemoryLedgerStore()), ports))
        return built[-1]

    world = fed_world()
    world.add("ledger", remember)
    world.run(until=["ledger"])
    assert [len(built[0].main), len(built[0].lanes)] == [1, 1]
