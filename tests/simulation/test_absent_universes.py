"""Lanes of bars that fall silent in runs with deadlines: execution alone judges, by its monotonic
clock and after it has read the lane to its end; everybody else follows what it names.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stratvector.cli.parity import examined
from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.fills import FillKind
from stratvector.trading.lanes import bars_lane
from stratvector.trading.parity import check
from tests.sessions.crash_places import occurrences
from tests.sessions.followed_drift import assert_drift_follows
from tests.sessions.generated_sessions import HOUR, START, generated_session
from tests.sessions.rewritten_log import as_stored, log_of, rewritten
from tests.sessions.silent_flow import (
    SHAPE,
    SLOW,
    Silence,
    absences,
    breaches,
    halting,
    late_bars,
    paced,
    run,
    session_of,
    universes_of,
)
from tests.sessions.simulated_flow import breaches_of

STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)
SEEDS = 10
SIDES: tuple[When, ...] = ("before", "after")
STEPS = [
    ("execution", "publish FILLS"),
    ("risk", "publish ORDERS"),
    ("risk", "publish CHAPTERS"),
    ("strategy", "publish SIGNALS"),
    ("market_data", "publish BARS"),
    ("ledger", "store commit"),
]


def hours(close_time: int) -> float:
    return (close_time - START) / HOUR


@pytest.mark.parametrize("place", [0, 1])
def test_the_other_universe_trades_on_and_the_silent_one_comes_back_with_late_bars(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = universes_of(1)[place]
    paced(monkeypatch, [Silence(silent, 6.0, 20.0)])
    flow = run(session_of(1))
    assert breaches(flow) == []
    missed = absences(flow)
    assert {name for name, _ in missed} == {silent}
    assert min(hours(close) for _, close in missed) >= 6.0
    assert max(hours(close) for _, close in missed) <= 20.0
    assert len(missed) > 2
    # What came late is taken up once, at the first close after it came.
    assert {name for name, _ in late_bars(flow)} == {silent}
    assert 20.0 <= min(hours(close) for _, close in late_bars(flow)) <= 26.0
    log = log_of(flow.world.bus, flow.session)
    assert log.is_complete
    (note,) = check(log, flow.session, flow.session).notes
    assert "had absent universes or late bars" in note


def test_of_three_universes_two_are_silent_each_in_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = replace(SHAPE, universes=3, symbols=1)
    absent = set[str]()
    for seed in (1, 2, 3):
        one, other, third = universes_of(seed, shape)
        paced(monkeypatch, [Silence(one, 3.0, 16.0), Silence(other, 7.0, 24.0)])
        flow = run(session_of(seed, shape), seed, closes_per_chapter=3)
        assert breaches(flow) == []
        names = {name for name, _ in absences(flow)}
        assert third not in names
        absent |= {f"{seed} {name}" for name in names}
        assert {name for name, _ in late_bars(flow)} == names
    assert len(absent) > 3


def test_a_replay_waits_for_bars_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, [Silence(universes_of(1)[0], 6.0, 90.0)])
    flow = run(generated_session(1, SHAPE))
    assert breaches_of(flow) == []
    assert absences(flow) == late_bars(flow) == []


def test_nothing_is_judged_while_nobody_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All universes are silent, so nothing closes, and nothing is lost."""
    paced(monkeypatch, [Silence(name, 6.0, 60.0) for name in universes_of(2)])
    flow = run(session_of(2))
    assert breaches(flow) == []
    assert absences(flow) == late_bars(flow) == []


def test_a_universe_without_any_bars_is_absent_from_the_first_close_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = universes_of(3)[0]
    paced(monkeypatch, [Silence(silent, 0.0, 15.0)])
    flow = run(session_of(3, replace(SHAPE, warmup=0)), closes_per_chapter=2)
    assert breaches(flow) == []
    assert absences(flow)[0] == (silent, flow.decisions[0].close_time)
    assert late_bars(flow)


def test_parity_reads_a_log_in_which_a_universe_has_not_said_anything_yet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = universes_of(3)[0]
    paced(monkeypatch, [Silence(silent, 0.0, 15.0)])
    flow = run(session_of(3, replace(SHAPE, warmup=0)))
    lane = bars_lane(flow.session.portfolio, flow.session.portfolio.universe(silent))
    journal = flow.world.bus.journal
    subjects = [(one.message.subject, one.message.kind) for one in journal]
    stop = subjects.index((lane, Kind.CONTENT))
    session = LoggedSession(first_chapter(flow.session))
    log = log_of(rewritten(journal, as_stored, stop), session)
    assert log.closes
    assert all(close.absent == (silent,) for close in log.closes)
    found = examined(tmp_path, session, log)
    assert found.parity.is_equal
    assert found.parity.closes == len(log.closes)
    assert any("not compared with a backtest" in line for line in found.parity.notes)


def test_an_owner_that_was_away_calls_nothing_absent_that_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Execution sleeps for five minutes of its own clock, and hears nothing of what is stored."""
    paced(monkeypatch)
    deaf = replace(SLOW, arrival_lost=1.0)
    for occurrence in range(2, 8):
        plans = [FaultPlan("execution", "publish FILLS", occurrence, Fate(pause_seconds=300.0))]
        flow = run(session_of(occurrence), occurrence, deaf, plans)
        assert breaches(flow) == []
        assert absences(flow) == late_bars(flow) == []


@pytest.mark.parametrize("closes_per_chapter", [1, 2, 3])
def test_chapters_begin_in_the_middle_of_an_absence(
    closes_per_chapter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each carries is compared with a fold from the first message."""
    for seed in (1, 4):
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 4.0, 22.0)])
        flow = run(session_of(seed, counts=True), seed, closes_per_chapter=closes_per_chapter)
        assert breaches(flow) == []
        chapters = {d.chapter for d in flow.decisions if silent in d.cut.absent}
        assert len(chapters) > 1
        assert late_bars(flow)


def test_late_bars_fill_orders_that_were_decided_by_their_opening_alone(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """A halt orders the way out of a universe that is silent."""
    late, behind = 0, 0
    for seed in range(1, 9):
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 5.0, 24.0)])
        flow = run(halting(session_of(seed)), seed, closes_per_chapter=(4, 5_000)[seed % 2])
        assert breaches(flow) == [], f"seed {seed}"
        symbols = flow.session.portfolio.universe(silent).symbols
        behind += sum(
            order.symbol in symbols
            for decision in flow.decisions
            if silent in decision.cut.absent
            for order in decision.orders
        )
        taken_up = {close for _, close in late_bars(flow)}
        late += sum(
            event.kind is FillKind.FILLED
            and event.known_time in taken_up
            and event.symbol in symbols
            for event in flow.events
        )
    say(f"{behind} orders while their universe was absent, {late} fills at closes with late bars")
    assert behind > 0
    assert late > 0


def test_storms_with_silent_universes_stay_equal(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    count = max(SEEDS, int(request.config.getoption("--seeds")) // 10)
    venues = (None, Identity.UNIQUE_FOR_EVER)
    absent = late = 0
    for seed in range(count):
        fast, slow = universes_of(seed)
        begins = 2.0 + seed % 7
        paced(monkeypatch, [Silence(fast, begins, begins + 17.0), Silence(slow, 30.0, 45.0)])
        flow = run(
            session_of(seed, counts=bool(seed % 2)),
            seed,
            replace(STORMY, clock_stops=(0.0, 0.5)[seed % 2]),
            (),
            venues[seed // 2 % 2],
            1 + seed % 2,
            (1 + seed % 4, 5_000)[seed % 3 == 0],
        )
        assert breaches(flow) == [], f"seed {seed}"
        absent, late = absent + len(absences(flow)), late + len(late_bars(flow))
    assert absent > count
    assert late > count
    say(f"{count} storms, {absent} times absent, {late} late bars")


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_around_an_absence_stays_equal(
    service: str,
    effect: str,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
    request: pytest.FixtureRequest,
) -> None:
    paced(monkeypatch, [Silence(universes_of(1)[0], 4.0, 13.0)])
    session = session_of(1, replace(SHAPE, closes=10))
    calm = run(session, 0, SLOW, [], None, 2, 3)
    met, absent = calm.world.effects[service, effect], 0
    assert absences(calm)
    assert late_bars(calm)
    places = occurrences(met, request)
    for occurrence in places:
        for when in SIDES:
            crash = CrashPlan(service, effect, occurrence, when)
            flow = run(session, 0, SLOW, [crash], None, 2, 3)
            assert breaches(flow) == [], f"crash {when} {effect} {occurrence}"
            absent += len(absences(flow))
    say(f"crashes of {service} at {effect}: {2 * len(places)}, {absent} absent")


def test_drift_follows_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the returns of late bars by what was held, and no signals of theirs."""
    paced(monkeypatch, [Silence(universes_of(1)[0], 6.0, 20.0)])
    flow = run(session_of(1), closes_per_chapter=4)
    assert any(close.earlier for close in assert_drift_follows(flow))
