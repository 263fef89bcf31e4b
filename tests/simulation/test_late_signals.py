"""Signals that come too late, in runs that have deadlines: risk alone judges, by its monotonic
clock and after it has read their lane to its end; everybody else follows the decision's cut.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stratvector.contracts.codecs import decode_fills_report, decode_signals
from stratvector.drift import DriftRules, ModelWatch
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Kind, Ports
from stratvector.runtime.readers import Received
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Plan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.services.ledger import record
from stratvector.services.risk.portfolio_lane import PortfolioLane
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import fills_lane, orders_lane, signals_lane
from stratvector.trading.logged import Logged
from stratvector.trading.orders import LATE, Decision
from stratvector.trading.parity import check
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from stratvector.trading.signals import Signals
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=3, closes=12, warmup=2)
DEADLINE_SECONDS = 3.0
SLOW = Faults(delay_seconds_max=0.05)
STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)
SEEDS, LONG_SEEDS = 12, 1_000
SIDES: tuple[When, ...] = ("before", "after")
STEPS = [
    ("risk", "publish ORDERS"),
    ("risk", "publish CHAPTERS"),
    ("strategy", "publish SIGNALS"),
    ("execution", "publish FILLS"),
    ("ledger", "store commit"),
]
REAL_ON_BARS = ModelLane._on_bars
REAL_RECALL = ModelLane._recall


def paper_session(seed: int, shape: Shape = SHAPE) -> Session:
    """A generated session that lives in a run with deadlines."""
    session = generated_session(seed, shape)
    return replace(session, portfolio=replace(session.portfolio, run="paper.1"))


def away(occurrence: int, seconds: float, service: str = "strategy") -> FaultPlan:
    """The service stops before one of its publishes, its clock running on."""
    effect = {"strategy": "publish SIGNALS", "risk": "publish ORDERS"}[service]
    return FaultPlan(service, effect, occurrence, Fate(pause_seconds=seconds))


def run(
    session: Session,
    seed: int = 0,
    faults: Faults = SLOW,
    plans: Iterable[Plan] = (),
    identity: Identity | None = None,
    instances: int = 1,
    closes_per_chapter: int = 5_000,
) -> Flow:
    return run_flow(
        session,
        seed,
        faults,
        plans,
        identity,
        instances,
        closes_per_chapter,
        signals_deadline_seconds=DEADLINE_SECONDS,
    )


def late_in(flow: Flow) -> list[tuple[str, int]]:
    """Model and close of every judgement."""
    return [
        (model, decision.close_time)
        for decision in flow.decisions
        for model, used in decision.cut.signals.items()
        if used == LATE
    ]


def misjudged(flow: Flow, deadline_seconds: float = DEADLINE_SECONDS) -> list[str]:
    """Signals that are called late though they were in the log in time, and decisions that went
    without signals before their time.
    """
    portfolio, bus = flow.session.portfolio, flow.world.bus
    reports = bus.contents(fills_lane(portfolio))
    ticks = {decode_fills_report(s.message.payload).closed: bus.utc_of(s) for s in reports}
    decided = [s for s in bus.contents(orders_lane(portfolio)) if s.message.kind is Kind.CONTENT]
    came = {
        (model, signals.chapter, signals.close_time): bus.utc_of(stored)
        for model in portfolio.model_names
        for stored in bus.contents(signals_lane(portfolio, model))
        for signals in [decode_signals(stored.message.payload)]
    }
    breaches = []
    for stored, decision in zip(decided, flow.decisions, strict=True):
        until = ticks[decision.close_time] + round(deadline_seconds * NANOSECONDS_PER_SECOND)
        for model, used in decision.cut.signals.items():
            there = came.get((model, decision.chapter, decision.close_time))
            if used == LATE and bus.utc_of(stored) < until:
                breaches.append(f"{model} at {decision.close_time} was called late too early")
            if used == LATE and there is not None and there < until:
                breaches.append(f"{model} at {decision.close_time} was there in time")
    return breaches


def breaches(flow: Flow) -> list[str]:
    return [*breaches_of(flow), *misjudged(flow)]


def slow_model(monkeypatch: pytest.MonkeyPatch, name: str, seconds: Callable[[int], float]) -> None:
    """Each close takes a model so long, by the hours since 1970."""

    async def on_bars(self: ModelLane, received: Logged[ClosedBars]) -> None:
        if self._name == name:
            hours = received.noun.close_time // (3_600 * NANOSECONDS_PER_SECOND)
            await self._ports.clock.sleep(seconds(hours))
        await REAL_ON_BARS(self, received)

    monkeypatch.setattr(ModelLane, "_on_bars", on_bars)


def unsteady(hours: int) -> float:
    """From at once to twice the deadline."""
    return 2.0 * DEADLINE_SECONDS * (hours * 7 % 10) / 9.0


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
        session = paper_session(seed, replace(SHAPE, closes=30))
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


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_a_run_with_late_signals_stays_equal(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = paper_session(1)
    sleeps = [away(16, 3 * DEADLINE_SECONDS)]
    calm = run(session, 0, SLOW, sleeps, None, 2, 3)
    met, late = calm.world.effects[service, effect], 0
    assert late_in(calm)
    every = 1 if request.config.getoption("--seeds") >= LONG_SEEDS else 3
    for occurrence in range(1, met + 1, every):
        for when in SIDES:
            crash = CrashPlan(service, effect, occurrence, when)
            flow = run(session, 0, SLOW, [*sleeps, crash], None, 2, 3)
            assert breaches(flow) == [], f"crash {when} {effect} {occurrence}"
            late += len(late_in(flow))
    say(f"crashes of {service} at {effect}: {2 * len(range(0, met, every))}, {late} late")


def late_of(decision: Decision) -> list[str]:
    return [model for model in decision.cut.signals if decision.cut.is_late(model)]


def test_drift_follows_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds what it held where a decision went without signals, though they are in the log."""
    slow_model(monkeypatch, "model_0", unsteady)
    flow = run(paper_session(4, replace(SHAPE, closes=30)), closes_per_chapter=4)
    session, rules = flow.session, DriftRules(1, 100, 100, 4)
    watches = list[SessionWatch]()

    def build(ports: Ports) -> Tasks:
        watches.append(SessionWatch(ports, session.portfolio, session.start, rules))
        return Tasks([watches[-1].run()])

    flow.world.add("drift", build)
    flow.world.run(until=["drift"])
    closes = log_of(flow.world.bus, session).closes
    assert any(close.late for close in closes)
    for model in session.portfolio.models:
        symbols = session.portfolio.universe(model.universe).symbols
        watch = ModelWatch(model.name, symbols, rules)
        for close in closes:
            if (bars := close.bars.get(model.universe)) is not None:
                used = close.signals.get(model.name)
                watch.take(bars.noun, None if used is None else used.noun)
        assert repr(watches[-1]._watches[model.name].state) == repr(watch.state)


def first_breach(monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What the first run that notices anything says."""
    slow_model(monkeypatch, "model_0", unsteady)
    deaf = replace(SLOW, arrival_lost=0.5)
    for seed in range(SEEDS):
        try:
            plans = [away(3 + seed, 20.0, "risk")]
            found = breaches(run(paper_session(seed), seed, deaf, plans, None, 1, 1 + seed % 4))
        except SimulationError as error:
            found = [str(error).splitlines()[0]]
        if found:
            return f"seed {seed}: {found[0]}"
    return None


async def judge_in_the_ledger(
    readers: Mapping[str, SignalsReader], models: Sequence[ModelAllocation], decision: Decision
) -> dict[str, Received[Signals]]:
    """Planted: who keeps the record decides by its own clock what came in time."""
    used = dict[str, Received[Signals]]()
    for model in models:
        received = await readers[model.name].by(decision.close_time, 0.0)
        if received is not None:
            used[model.name] = received
    return used


async def judge_by_utc(
    self: PortfolioLane, close_time: int, models: Sequence[ModelAllocation]
) -> dict[str, Logged[Signals]]:
    """Planted: the deadline is counted from the server's stamp, by the UTC of this host."""
    clock, bus = self._ports.clock, self._ports.bus
    tick = await bus.last(fills_lane(self._portfolio))
    assert isinstance(bus, SimulatedBus)
    assert tick is not None
    passed = (clock.utc_now() - bus.utc_of(tick)) / NANOSECONDS_PER_SECOND
    until = clock.monotonic_seconds() + DEADLINE_SECONDS - passed
    used = dict[str, Logged[Signals]]()
    for model in models:
        received = await self._signals[model.name].by(close_time, until)
        if received is not None:
            used[model.name] = received
    return used


async def judge_by_what_was_heard(self: SignalsReader) -> bool:
    """Planted: whoever has the deadline behind him does not read the lane to its end."""
    return await self.look(0.0)


def memory_of_the_used_alone(self: ModelLane, carried: Carried) -> Coroutine[Any, Any, None]:
    """Planted: a chapter begins with the memory that was used last, whatever came after."""
    models = [replace(one, close_time=carried.close_time) for one in carried.models]
    return REAL_RECALL(self, replace(carried, models=tuple(models)))


def test_two_judges_of_a_close_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(record, "used_signals", judge_in_the_ledger)
    breach = first_breach(monkeypatch)
    assert breach is not None
    say(f"planted: two judges of a close, caught by {breach}")


def test_wall_clock_lateness_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(PortfolioLane, "_in_time", judge_by_utc)
    breach = first_breach(monkeypatch)
    assert breach is not None
    say(f"planted: lateness by wall clock, caught by {breach}")


def test_a_judge_that_does_not_read_the_lane_to_its_end_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(SignalsReader, "look_in_log", judge_by_what_was_heard)
    breach = first_breach(monkeypatch)
    assert breach is not None
    say(f"planted: the lane is not read to its end, caught by {breach}")


def test_a_memory_without_what_came_late_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(ModelLane, "_recall", memory_of_the_used_alone)
    breach = first_breach(monkeypatch)
    assert breach is not None
    say(f"planted: a memory without what came late, caught by {breach}")


def test_the_same_runs_are_quiet_without_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_breach(monkeypatch) is None
