"""Runs in which instances have different engines, and what their log must never show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from stratvector.contracts.codecs import decode_chapter, decode_decision, decode_owner
from stratvector.runtime.deployment import ABSENT_AFTER_DEADLINES
from stratvector.runtime.host import ServiceFactory
from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from stratvector.trading.flow import COMPUTING
from stratvector.trading.lanes import chapters_lane, orders_lane
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

OLD, NEW = "0" * 15 + "a", "0" * 15 + "b"
SHAPE = Shape(universes=2, symbols=2, models=2, closes=48, warmup=2)
SLOW = Faults(delay_seconds_max=0.1)
LEASE_SECONDS = 1.0
PATIENT_SECONDS = 1e6  # nothing is late, so that each result is the backtest's


@dataclass(frozen=True)
class Stay:
    """An instance with an engine, from a virtual time on, and until it ends for good."""

    service: str
    engine: str
    begins_seconds: float = 0.0
    ends_seconds: float | None = None


def rolled(
    order: Sequence[str], first_seconds: float = 3.0, pace_seconds: float = 4.0
) -> list[Stay]:
    """One service after the other: the new instance comes, then the old one is killed."""
    stays = list[Stay]()
    for place, service in enumerate(order):
        begins = first_seconds + pace_seconds * place
        stays += [
            Stay(service, OLD, ends_seconds=begins + pace_seconds / 2),
            Stay(service, NEW, begins),
        ]
    return stays


def run_engines(
    session: Session,
    stays: Sequence[Stay],
    seed: int = 0,
    faults: Faults = SLOW,
    plans: Iterable[Plan] = (),
    identity: Identity | None = None,
    closes_per_chapter: int = 5_000,
    lease_seconds: float = LEASE_SECONDS,
    beside: ServiceFactory | None = None,
    later: Sequence[Session] = (),
    absent_after_deadlines: float = ABSENT_AFTER_DEADLINES,
) -> Flow:
    """Services of which nothing is said have one instance of no engine."""

    def arrange(world: World, name: str, factory: ServiceFactory) -> bool:
        own = [stay for stay in stays if stay.service == name]
        for number, stay in enumerate(own):
            seat = f"{name}.{stay.engine[-1]}{number}"
            world.add(name, factory, 1, stay.begins_seconds, True, stay.engine, seat)
            if stay.ends_seconds is not None:
                world.at(stay.ends_seconds, partial(world.remove, seat))
        return bool(own)

    return run_flow(
        session,
        seed,
        faults,
        plans,
        identity,
        closes_per_chapter=closes_per_chapter,
        lease_seconds=lease_seconds,
        signals_deadline_seconds=PATIENT_SECONDS,
        beside=beside,
        later=later,
        absent_after_deadlines=absent_after_deadlines,
        arrange=arrange,
    )


def engines_of(flow: Flow) -> list[str]:
    """Of each chapter that holds, the first one included."""
    lane, opened = chapters_lane(flow.session.portfolio), {one.chapter_id for one in flow.openings}
    contents = flow.world.bus.contents(lane)
    return [
        decode_chapter(stored.message.payload).engine_hash
        for place, stored in enumerate(contents)
        if place == 0 or stored.message.id in opened
    ]


def decided_by_another(flow: Flow) -> list[str]:
    """Decisions whose owner had another engine than their chapter names."""
    engines, owners, found = engines_of(flow), dict[int, str](), list[str]()
    for stored in flow.world.bus.journal:
        message = stored.message
        if message.subject != orders_lane(flow.session.portfolio):
            continue
        if message.kind is Kind.OWNER:
            owners[message.epoch] = decode_owner(message.payload).engine_hash
        elif message.kind is Kind.CONTENT:
            decision = decode_decision(message.payload)
            if (engine := engines[decision.chapter - 1]) != owners[message.epoch]:
                found.append(
                    f"close {decision.close_time} of chapter {decision.chapter}, engine {engine}, "
                    f"was decided by engine {owners[message.epoch]}"
                )
    return found


def takers(flow: Flow) -> dict[str, list[str]]:
    """Service -> the engines of those who took its lanes, one after the other, up to the last
    decision: who is left of the finished instances then is of no interest.
    """
    nouns = {"strategy": "signals", "risk": "orders", "execution": "fills"}
    journal, orders = flow.world.bus.journal, orders_lane(flow.session.portfolio)
    last = max(n for n, stored in enumerate(journal) if stored.message.subject == orders)
    return {
        service: [
            decode_owner(stored.message.payload).engine_hash
            for stored in journal[: last + 1]
            if stored.message.kind is Kind.OWNER
            and stored.message.subject.startswith(f"{nouns[service]}.")
        ]
        for service in COMPUTING
    }


def breaches(flow: Flow) -> list[str]:
    """Every result is the backtest's, and each chapter its own engine's."""
    return [*breaches_of(flow), *decided_by_another(flow)]
