"""ledger alone: the flow's messages become one entry per close, and positions after fills."""

from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial

import pytest

from stratvector.contracts.codecs import decode_positions
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.ledger.wiring import build
from stratvector.trading.fills import FillKind
from stratvector.trading.flow import subject
from stratvector.trading.ledger import LedgerEntry, Positions
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.hand_fed import (
    feed,
    feed_bars,
    fills_lane,
    orders_lane,
    payloads_of,
    signals_lane,
)
from tests.sessions.simulated_flow import run_flow

SESSION = generated_session(1, Shape(2, 2, 3, closes=25))
FLOW = run_flow(SESSION)
SIDES: tuple[When, ...] = ("before", "after")


class CountedStore(MemoryLedgerStore):
    """It remembers every commit that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def _write(self, entry: LedgerEntry) -> None:
        self.asked.append(entry.close_time)
        super()._write(entry)


def fed_world(*plans: Plan) -> World:
    """All lanes that the ledger reads, as the flow's other services filled them."""
    world = World(plans=plans)
    feed_bars(world, SESSION)
    for model in SESSION.portfolio.models:
        lane = signals_lane(SESSION, model.name)
        feed(world, lane, payloads_of(FLOW.world, lane))
    for lane in (orders_lane(SESSION), fills_lane(SESSION)):
        feed(world, lane, payloads_of(FLOW.world, lane))
    return world


def finish(*plans: Plan) -> tuple[World, CountedStore]:
    world, store = fed_world(*plans), CountedStore()
    world.add("ledger", partial(build, Deployment(SESSION, store)))
    world.run(until=["ledger"])
    return world, store


def positions_in(world: World) -> list[Positions]:
    lane = subject("positions", portfolio=SESSION.portfolio.name)
    return [decode_positions(payload) for payload in payloads_of(world, lane)]


def traded(entry: LedgerEntry) -> bool:
    return any(event.kind is FillKind.FILLED for event in entry.events)


def test_each_close_is_committed_once_in_its_order() -> None:
    _, store = finish()
    assert store.asked == SESSION.schedule.close_times.tolist()
    assert list(store.entries.values()) == FLOW.entries


def test_positions_follow_fills_and_nothing_else() -> None:
    world, store = finish()
    entries = [entry for entry in store.entries.values() if traded(entry)]
    published = positions_in(world)
    assert 0 < len(entries) < len(store.entries)
    assert [p.close_time for p in published] == [entry.close_time for entry in entries]
    assert [p.number for p in published] == list(range(len(entries)))


def test_positions_say_what_the_entry_says_to_eight_decimals() -> None:
    world, store = finish()
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
    calm, _ = finish()
    for occurrence in range(1, calm.effects["ledger", effect] + 1):
        for when in SIDES:
            world, store = finish(CrashPlan("ledger", effect, occurrence, when))
            where = f"{when} {effect} {occurrence}"
            assert world.crashes.total() == 1, where
            assert store.asked == SESSION.schedule.close_times.tolist(), where
            assert list(store.entries.values()) == FLOW.entries, where
            assert positions_in(world) == positions_in(calm), where


def test_a_store_that_is_ahead_of_nothing_is_filled_by_a_second_ledger_from_the_log() -> None:
    world, first = finish()
    copy = CountedStore()
    world.add("another ledger", partial(build, Deployment(SESSION, copy)))
    world.run(until=["another ledger"])
    assert copy.entries == first.entries
    assert len(positions_in(world)) == sum(map(traded, first.entries.values()))


def test_the_wiring_builds_one_record_and_its_keeper() -> None:
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        built.append(build(Deployment(SESSION, MemoryLedgerStore()), ports))
        return built[-1]

    world = fed_world()
    world.add("ledger", remember)
    world.run(until=["ledger"])
    assert [len(built[0].main), len(built[0].background)] == [1, 1]
