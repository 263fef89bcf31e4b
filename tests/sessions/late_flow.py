"""Runs with deadlines through the simulated services: who is away or slow, who was called late, and
whether rightly.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest

from stratvector.contracts.codecs import decode_fills_report, decode_signals
from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import Fate, FaultPlan, Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import FIRST
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.lanes import fills_lane, orders_lane, signals_lane
from stratvector.trading.logged import Logged
from stratvector.trading.orders import LATE, Decision
from stratvector.trading.session import Session
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=3, closes=12, warmup=2)
DEADLINE_SECONDS = 3.0
SLOW = Faults(delay_seconds_max=0.05)
REAL_ON_BARS = ModelLane._on_bars


@decide_jit
def count_closes(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    """Buys at every other close; one that it misses, or meets twice, shows for ever."""
    for s in range(row.shape[0]):
        state[s] += 1.0
        weights[s] = (state[s] % 2.0) / row.shape[0]
        confidence[s] = 1.0


@dataclass(frozen=True)
class CountingStrategy(DriftStrategy):
    """Remembers how many closes it has seen since it began."""

    name = "counting"
    decide = staticmethod(count_closes)


def paper_session(seed: int, shape: Shape = SHAPE, counts: bool = False) -> Session:
    """A generated session that lives in a run with deadlines. counts : its models do."""
    session = generated_session(seed, shape)
    if counts:
        counting = {name: CountingStrategy(one.history) for name, one in session.strategies.items()}
        session = replace(session, strategies=counting)
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
    reports = bus.contents(fills_lane(portfolio, portfolio.account_names[0]))
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
    """Each close takes models so long, by the hours since 1970. name : how theirs begin."""

    async def on_bars(self: ModelLane, received: Logged[ClosedBars]) -> None:
        if self._name.startswith(name):
            hours = received.noun.close_time // (3_600 * NANOSECONDS_PER_SECOND)
            await self._ports.clock.sleep(seconds(hours))
        await REAL_ON_BARS(self, received)

    monkeypatch.setattr(ModelLane, "_on_bars", on_bars)


def unsteady(hours: int) -> float:
    """From at once to twice the deadline."""
    return 2.0 * DEADLINE_SECONDS * (hours * 7 % 10) / 9.0


def late_of(decision: Decision) -> list[str]:
    return [model for model in decision.cut.signals if decision.cut.is_late(model)]


def make_late_from_chapter_two(patch: pytest.MonkeyPatch) -> None:
    """Every model takes longer over its bars than the deadline lets it, once a chapter opened."""

    async def late(self: ModelLane, received: Logged[ClosedBars]) -> None:
        if self._chapter > FIRST:
            await self._ports.clock.sleep(2 * DEADLINE_SECONDS)
        await REAL_ON_BARS(self, received)

    patch.setattr(ModelLane, "_on_bars", late)
