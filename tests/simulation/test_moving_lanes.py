"""Lanes that move among three instances, while these crash, pause, come and go, change nothing.

In calm runs the plan moves them until all are in balance. In restless ones every owner gives each
lane away as often as it may, so that every service meets every step of a move.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from stratvector.runtime import spread
from stratvector.runtime.lane import Lane
from stratvector.runtime.lease import holder
from stratvector.runtime.members import Member
from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.spread import Move
from stratvector.trading.fills import FillKind
from stratvector.trading.flow import SERVICES, produced_by
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

# Every way takes its time, so that a session lasts for leases enough; nothing is lost.
SLOW = replace(Faults.none(), delay_seconds_max=0.05)
STORMY = replace(Faults.stormy(), delay_seconds_max=0.2)
CALM = Shape(universes=2, symbols=2, models=6, closes=100, warmup=2)
SHORT = Shape(universes=2, symbols=2, models=2, closes=40, warmup=2)
STEPS = ("kv get", "kv put", "members put", "members all")
SIDES: tuple[When, When] = ("before", "after")
IN_DOUBT = (FillKind.UNKNOWN, FillKind.ABANDONED)


def restless(instance: str, members: Sequence[Member]) -> Move | None:
    """The first lane of an owner to the counted member after it, whoever has how many."""
    own = next(one for one in members if one.instance == instance)
    takers = [one for one in members if one.is_counted and one.instance != instance]
    for lane in own.owned:
        able = [one.instance for one in takers if lane in one.standing_by]
        if able:
            return Move(lane, instance, min(able, key=lambda one: (one < instance, one)))
    return None


@contextmanager
def restless_owners() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "own_move", restless)
        yield


def moved(
    seed: int,
    shape: Shape,
    faults: Faults,
    plans: Sequence[Plan] = (),
    identity: Identity | None = None,
    lease_seconds: float = 1.0,
) -> Flow:
    """Two instances of each service come later, so that the first one has all lanes."""
    session = generated_session(seed, shape)
    return run_flow(
        session,
        seed,
        faults,
        plans,
        identity,
        instances=3,
        spreads=True,
        joining_seconds=1.0,
        lease_seconds=lease_seconds,
    )


def takings(flow: Flow) -> Counter[str]:
    """How often each service's lanes were taken, the first time of each left out."""
    found = Counter[str]()
    for service in SERVICES:
        for one in produced_by(service)[-1:]:
            lanes = Counter(
                stored.message.subject
                for stored in flow.world.bus.journal
                if stored.message.kind is Kind.OWNER
                and stored.message.subject.startswith(f"{one.noun}.")
            )
            found[service] = sum(lanes.values()) - len(lanes)
    return found


def owned_in(flow: Flow, noun: str) -> Counter[str]:
    """How many lanes of a noun each instance owns in the end."""
    entries = flow.world.key_value.entries
    return Counter(
        holder(entry).instance for key, entry in entries.items() if key.startswith(f"owner.{noun}.")
    )


@pytest.mark.parametrize("seed", [3, 5])
def test_lanes_move_until_all_are_in_balance(seed: int, say: Callable[[str], None]) -> None:
    flow = moved(seed, CALM, SLOW)
    assert breaches_of(flow) == []
    assert not flow.world.losses
    owned = owned_in(flow, "signals")
    assert sorted(owned.values()) == [2, 2, 2]
    assert takings(flow)["strategy"] == 4
    say(f"moves of strategy, seed {seed}: 4; models at the end: {sorted(owned.items())}")


@pytest.mark.parametrize("identity", [None, Identity.NOT_UNIQUE])
def test_restless_lanes_change_nothing_and_leave_no_order_in_doubt(
    identity: Identity | None, say: Callable[[str], None]
) -> None:
    longer = replace(SHORT, closes=90)  # than bars run ahead, or market_data has no work to move
    with restless_owners():
        flow = moved(4, longer, SLOW, identity=identity)
    assert breaches_of(flow) == []
    assert not flow.world.losses
    assert all(takings(flow)[service] >= 2 for service in SERVICES)
    assert [event for event in flow.events if event.kind in IN_DOUBT] == []
    say(f"restless, {identity}: {dict(takings(flow))}")


def test_a_move_in_the_middle_of_a_send_would_be_seen() -> None:
    """The planted bug: lanes go although what was done is not on record, and then above all."""
    holding, left, held = Counter[str](), iter(range(6)), Lane.held

    @contextmanager
    def seen(lane: Lane) -> Iterator[None]:
        holding[lane.subject] += 1
        with held(lane):
            yield
        holding[lane.subject] -= 1

    def untimely(instance: str, members: Sequence[Member]) -> Move | None:
        """A few times: if each hold ended so, no order would ever be sent."""
        move = restless(instance, members)
        is_untimely = move is not None and holding[move.lane]
        return move if is_untimely and next(left, None) is not None else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "own_move", untimely)
        patch.setattr(Lane, "held", seen)
        patch.setattr(Lane, "is_held", False)
        flows = (moved(seed, SHORT, SLOW, identity=Identity.NOT_UNIQUE) for seed in (2, 3, 5))
        assert any(event.kind in IN_DOUBT for flow in flows for event in flow.events)


@pytest.mark.parametrize("service", SERVICES)
def test_a_crash_at_any_step_of_a_move_changes_nothing(
    service: str, request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    """Before or after each step, half-way; with `--long` before and after many."""
    stream = produced_by(service)[-1].stream
    count = 12 if request.config.getoption("--long") else 1
    with restless_owners():
        seen = moved(4, SHORT, SLOW).world.effects
        crashes = 0
        for place, kind in enumerate((*STEPS, f"publish {stream}")):
            times = seen[service, kind]
            for n in range(count):
                side = SIDES[(SERVICES.index(service) + place + n) % 2]
                plan = CrashPlan(service, kind, times // 2 + n * times // (2 * count), side)
                flow = moved(4, SHORT, SLOW, [plan])
                assert breaches_of(flow) == [], plan
                crashes += sum(flow.world.crashes.values())
    assert crashes >= 4 * count
    say(f"crashes of {service} at the steps of moves: {crashes}")


def test_restless_storms_keep_the_invariants(
    request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    """Crashes make instances come and go; what comes back has to be ready for three leases."""
    seeds = range(40 if request.config.getoption("--long") else 3)
    taken, losses = Counter[str](), 0
    with restless_owners():
        for seed in seeds:
            identity = (None, *Identity)[seed % 3]
            flow = moved(seed, SHORT, STORMY, identity=identity, lease_seconds=5.0)
            assert breaches_of(flow) == [], f"seed {seed}"
            taken += takings(flow)
            losses += sum(flow.world.losses.values())
    assert losses
    say(f"restless storms: {len(seeds)} seeds, lanes taken again {dict(taken)}, lost {losses}")
