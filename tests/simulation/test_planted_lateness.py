"""Rules of lateness broken one by one: each is caught by runs that are quiet without a bug."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stratvector.runtime.readers import Received
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.ledger import record
from stratvector.services.risk.signals_gate import SignalsGate
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import fills_lane
from stratvector.trading.logged import Logged
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.signals import Signals
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.sessions.late_flow import (
    DEADLINE_SECONDS,
    SLOW,
    away,
    breaches,
    paper_session,
    run,
    slow_model,
    unsteady,
)

SEEDS = 12
REAL_RECALL = ModelLane._recall


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
    self: SignalsGate,
    readers: Mapping[str, SignalsReader],
    close_time: int,
    models: Sequence[ModelAllocation],
) -> dict[str, Logged[Signals]]:
    """Planted: the deadline is counted from the server's stamp, by the UTC of this host."""
    clock, bus = self._clock, next(iter(readers.values()))._inbox._bus
    portfolio = paper_session(0).portfolio
    tick = await bus.last(fills_lane(portfolio, portfolio.account_names[0]))
    assert isinstance(bus, SimulatedBus)
    assert tick is not None
    passed = (clock.utc_now() - bus.utc_of(tick)) / NANOSECONDS_PER_SECOND
    until = clock.monotonic_seconds() + DEADLINE_SECONDS - passed
    used = dict[str, Logged[Signals]]()
    for model in models:
        received = await readers[model.name].by(close_time, until)
        if received is not None:
            used[model.name] = received
    return used


async def judge_by_what_was_heard(self: SignalsReader) -> bool:
    """Planted: whoever has the deadline behind him does not read the lane to its end."""
    return await self.look(0.0)


def memory_of_the_used_alone(
    self: ModelLane, carried: Carried, is_new: bool, newest: int
) -> Coroutine[Any, Any, None]:
    """Planted: a chapter begins with the memory that was used last, whatever came after."""
    models = [replace(one, close_time=carried.close_time) for one in carried.models]
    return REAL_RECALL(self, replace(carried, models=tuple(models)), is_new, newest)


PLANTED: list[tuple[str, object, str, object]] = [
    ("two judges of a close", record, "used_signals", judge_in_the_ledger),
    ("lateness by wall clock", SignalsGate, "in_time", judge_by_utc),
    ("the lane is not read to its end", SignalsReader, "look_in_log", judge_by_what_was_heard),
    ("a memory without what came late", ModelLane, "_recall", memory_of_the_used_alone),
]


@pytest.mark.parametrize(("bug", "room", "name", "planted"), PLANTED, ids=[p[0] for p in PLANTED])
def test_a_broken_rule_is_caught(
    bug: str,
    room: object,
    name: str,
    planted: object,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setattr(room, name, planted)
    breach = first_breach(monkeypatch)
    assert breach is not None
    say(f"planted: {bug}, caught by {breach}")


def test_the_same_runs_are_quiet_without_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_breach(monkeypatch) is None
