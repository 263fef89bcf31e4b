"""Signals that come too late, in runs that have deadlines: risk alone judges, by its monotonic
clock and after it has read their lane to its end; everybody else follows the decision's cut.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.documents import wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_bars import bars_before
from stratvector.runtime.ports import Ports
from stratvector.runtime.purging import kept_chapter, purge_log
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.lanes import bars_lane
from stratvector.trading.parity import check
from stratvector.trading.portfolio import ModelAllocation
from tests.sessions.changed_sessions import Applying, with_model, without_model
from tests.sessions.crash_places import occurrences
from tests.sessions.followed_drift import assert_drift_follows
from tests.sessions.generated_sessions import HOUR, START, generated_session
from tests.sessions.late_flow import (
    DEADLINE_SECONDS,
    SHAPE,
    SLOW,
    CountingStrategy,
    away,
    breaches,
    late_in,
    late_of,
    misjudged,
    paper_session,
    run,
    slow_model,
    unsteady,
)
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import breaches_in_the_log, run_flow

STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)
SEEDS = 12
SIDES: tuple[When, ...] = ("before", "after")
LATE_FROM = START // HOUR + 14
STEPS = [
    ("risk", "publish ORDERS"),
    ("risk", "publish CHAPTERS"),
    ("strategy", "publish SIGNALS"),
    ("execution", "publish FILLS"),
    ("ledger", "store commit"),
]


def test_a_strategy_that_is_away_holds_up_no_decision_and_is_heard_again_when_it_is_back() -> None:
    session = paper_session(1, replace(SHAPE, closes=40))
    flow = run(session, plans=[away(30, 4 * DEADLINE_SECONDS)])
    assert breaches(flow) == []
    closes = session.schedule.close_times.tolist()
    assert [decision.close_time for decision in flow.decisions] == closes
    late = {close for _, close in late_in(flow)}
    assert 0 < len(late) < 20
    assert min(late) > closes[0]
    assert max(late) < closes[-5]
    log = log_of(flow.world.bus, session)
    # What came too late is in the log, was passed over, and is compared.
    assert sum(len(close.late) for close in log.closes) == len(late_in(flow))
    assert any("late signals" in note for note in check(log, session, session).notes)


def test_a_replay_waits_for_signals_however_long() -> None:
    session = generated_session(1, SHAPE)
    flow = run(session, plans=[away(7, 100 * DEADLINE_SECONDS)])
    assert breaches(flow) == []
    assert late_in(flow) == []


def test_of_several_models_only_the_slow_one_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_model(monkeypatch, "model_1", lambda hours: 1.5 * DEADLINE_SECONDS)
    flow = run(paper_session(3), closes_per_chapter=3)
    assert breaches(flow) == []
    assert {model for model, _ in late_in(flow)} == {"model_1"}


def test_a_strategy_that_cannot_reach_the_bus_is_late(say: Callable[[str], None]) -> None:
    lost = [FaultPlan("strategy", "publish SIGNALS", n, Fate(loss="request")) for n in range(9, 40)]
    flow = run(paper_session(2), plans=lost, closes_per_chapter=4)
    assert breaches(flow) == []
    assert late_in(flow)
    say(f"{len(late_in(flow))} late while requests were lost")


def test_an_owner_that_was_away_calls_nothing_late_that_is_in_the_log() -> None:
    """Risk sleeps for five minutes of its own clock, and hears nothing of what is stored."""
    deaf = replace(SLOW, arrival_lost=1.0)
    for occurrence in range(2, 10):
        plans = [away(occurrence, 300.0, "risk")]
        flow = run(paper_session(occurrence), occurrence, deaf, plans)
        assert breaches(flow) == []
        assert late_in(flow) == []


def test_a_strategy_that_is_away_for_whole_chapters_goes_on_as_if_it_had_been_there() -> None:
    """Its memory at a chapter's beginning is computed over the closes that it missed."""
    never_came = 0
    for seed in range(6):
        session = paper_session(seed, replace(SHAPE, closes=30), counts=True)
        flow = run(session, seed, plans=[away(1 + 8 * (seed % 3), 30.0)], closes_per_chapter=2)
        assert breaches(flow) == []
        assert len({decision.chapter for decision in flow.decisions if late_of(decision)}) > 1
        log = log_of(flow.world.bus, session)
        never_came += len(late_in(flow)) - sum(len(close.late) for close in log.closes)
    assert never_came > 0


def test_storms_with_late_signals_stay_equal(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    slow_model(monkeypatch, "model_0", unsteady)
    count, late = max(SEEDS, int(request.config.getoption("--seeds")) // 10), 0
    venues = (None, Identity.UNIQUE_FOR_EVER)
    for seed in range(count):
        plans = [away(1 + seed * 5 % 23, (1 + seed % 5) * DEADLINE_SECONDS)]
        flow = run(
            paper_session(seed),
            seed,
            replace(STORMY, clock_stops=(0.0, 0.5)[seed % 2]),
            plans,
            venues[seed // 2 % 2],
            1 + seed % 2,
            (1 + seed % 4, 5_000)[seed % 3 == 0],
        )
        assert breaches(flow) == [], f"seed {seed}"
        late += len(late_in(flow))
    assert late > count
    say(f"{count} storms, {late} signals late")


def test_models_that_come_and_go_while_they_are_late_stay_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An added model whose signals are never in time has no memory in any chapter: each begins
    with what it makes of the bars since it was added.
    """
    slow_model(monkeypatch, "added", lambda hours: 1.5 * DEADLINE_SECONDS)
    for seed in range(6):
        session = paper_session(seed, replace(SHAPE, closes=40), counts=True)
        universe = session.portfolio.universes[seed % 2].name
        more = with_model(session, ModelAllocation("added", universe, 0.3), CountingStrategy(2))
        wishes = [wish_of(more, "ada", 1), wish_of(without_model(more, "model_0"), "ada", 2)]
        applying = Applying(wishes, 6.0, [], patience_seconds=60.0)
        flow = run_flow(
            session,
            seed,
            SLOW,
            [away(20, 4 * DEADLINE_SECONDS)],
            instances=1 + seed % 2,
            closes_per_chapter=4,
            beside=applying,
            signals_deadline_seconds=DEADLINE_SECONDS,
        )
        assert applying.refusals == []
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        assert misjudged(flow) == []
        assert "added" in {model for model, _ in late_in(flow)}


def test_bars_that_a_late_model_computes_its_memory_from_are_not_purged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_model(monkeypatch, "model_0", lambda hours: 0.0 if hours < LATE_FROM else 600.0)
    session = paper_session(1, replace(SHAPE, closes=40))
    flow = run(session, closes_per_chapter=4)
    bus, found = flow.world.bus, list[tuple[object, object]]()

    async def purge(ports: Ports) -> None:
        portfolio = session.portfolio
        kept = await kept_chapter(bus, portfolio.run, portfolio.name, 2**62)
        assert kept is not None
        assert kept.carried is not None
        own, carried = kept.carried.model("model_0"), kept.carried
        assert own is not None
        assert own.close_time < carried.close_time - 8 * HOUR
        universe = portfolio.universe(own.universe)
        count = session.strategies["model_0"].history
        newest = carried.sequences[bars_lane(portfolio, universe)]
        parts = (bus, portfolio, universe, newest, count, own.close_time)
        before = await bars_before(*parts)
        removed = await purge_log(bus, bus.purge, kept, portfolio, {})
        assert removed[bars_lane(portfolio, universe)] > 0
        found.append((repr(before), repr(await bars_before(*parts))))

    flow.world.add("purge", lambda ports: Tasks([purge(ports)]))
    flow.world.run(until=["purge"])
    ((before, after),) = found
    assert before == after


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_a_run_with_late_signals_stays_equal(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = paper_session(1)
    sleeps = [away(16, 3 * DEADLINE_SECONDS)]
    calm = run(session, 0, SLOW, sleeps, None, 2, 3)
    met, late = calm.world.effects[service, effect], 0
    assert late_in(calm)
    places = occurrences(met, request)
    for occurrence in places:
        for when in SIDES:
            crash = CrashPlan(service, effect, occurrence, when)
            flow = run(session, 0, SLOW, [*sleeps, crash], None, 2, 3)
            assert breaches(flow) == [], f"crash {when} {effect} {occurrence}"
            late += len(late_in(flow))
    say(f"crashes of {service} at {effect}: {2 * len(places)}, {late} late")


def test_drift_follows_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds what it held where a decision went without signals, though they are in the log."""
    slow_model(monkeypatch, "model_0", unsteady)
    flow = run(paper_session(4, replace(SHAPE, closes=30)), closes_per_chapter=4)
    assert any(close.late for close in assert_drift_follows(flow))
