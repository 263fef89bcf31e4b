"""A crash at every (service x effect), before it and after it, with a standby, on both brokers.

`make simulation` crashes at the first, a middle and a late occurrence of each; `make test` at one
of the three that is met, beginning with another one from effect to effect and from side to side.
"""

from collections.abc import Callable
from functools import cache

import pytest

from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.flow import SERVICES
from stratvector.trading.session import Session
from tests.sessions.crash_places import is_long
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

Point = tuple[str, str]
# Time must pass for the lease keepers' points to be met.
SLOW = Faults(delay_seconds_max=0.4)
SIDES: tuple[When, ...] = ("before", "after")
# Only an owner that finds another's claims asks the broker: the first crash makes it so.
FIRST_CRASH = CrashPlan("execution", "broker send", 1, "after")
RECOVERY: Point = ("execution", "broker find")


def run(identity: Identity | None, *plans: CrashPlan) -> Flow:
    """The session with a standby for every service, and planned crashes."""
    return run_flow(session(), 0, SLOW, plans, identity, 2)


@cache
def session() -> Session:
    """A session in which the halt cancels a working order, so that this effect is met too."""
    for seed in range(500):
        candidate = generated_session(seed, Shape(universes=2, symbols=2, models=2, closes=12))
        flow = run_flow(candidate, seed, SLOW, (), Identity.UNIQUE_FOR_EVER, 2)
        if ("execution", "broker cancel") in flow.world.effects:
            return candidate
    raise AssertionError("no generated session cancels an order")


@cache
def effects(identity: Identity | None, recovering: bool) -> dict[Point, int]:
    """How often a run without (other) crashes meets each (service, effect)."""
    plans = [FIRST_CRASH] if recovering else []
    return dict(run(identity, *plans).world.effects)


def points_of(service: str, identity: Identity | None) -> list[Point]:
    """A service's points on a broker."""
    own = [point for point in effects(identity, False) if point[0] == service]
    return sorted({*own, RECOVERY} if identity and service == RECOVERY[0] else own)


def crash_at(point: Point, when: When, identity: Identity | None, first: int | None) -> int:
    """Crash at the first, a middle and a late occurrence; how many crashes were met.

    first : begin with this of the three, and leave the others out once a crash was met.
    """
    recovering = point == RECOVERY
    met = effects(identity, recovering)[point]
    occurrences = (1, (met + 1) // 2, max(1, met - 1))
    count = 0
    for occurrence in dict.fromkeys(occurrences[first or 0 :] + occurrences[: first or 0]):
        plans = [CrashPlan(*point, occurrence, when), *([FIRST_CRASH] if recovering else [])]
        flow = run(identity, *plans)
        assert breaches_of(flow) == [], f"crash {when} {point}, occurrence {occurrence}"
        count += flow.world.crashes[(*point, when)]
        if first is not None and count > 0:
            break
    return count


PLACES = [
    *((service, None) for service in SERVICES),
    *((service, Identity.UNIQUE_FOR_EVER) for service in SERVICES),
    ("execution", Identity.UNIQUE_WHILE_OPEN),
    ("execution", Identity.NOT_UNIQUE),
]


@pytest.mark.parametrize(("service", "identity"), PLACES)
def test_a_crash_at_every_effect_keeps_the_invariants(
    service: str,
    identity: Identity | None,
    say: Callable[[str], None],
    request: pytest.FixtureRequest,
) -> None:
    points = points_of(service, identity)
    assert points
    broker = "simulated" if identity is None else identity.value
    for number, point in enumerate(points):
        for side, when in enumerate(SIDES):
            first = None if is_long(request) else (number + side) % 3
            count = crash_at(point, when, identity, first)
            say(f"crash {when:6} {service:11} {point[1]:18} {broker:18} {count} times")
            assert count > 0, f"the crash {when} {point} was never met"


def test_the_points_are_all_effects_of_the_ports() -> None:
    met = {point[1] for s in SERVICES for point in points_of(s, Identity.UNIQUE_FOR_EVER)}
    assert met >= {
        "publish CHAPTERS",
        *("publish BARS", "publish SIGNALS", "publish ORDERS", "publish FILLS"),
        *(
            "publish POSITIONS",
            "bus last",
            "bus read",
            "listen",
            "next",
            "kv get",
            "kv put",
            "sleep",
        ),
        *("broker send", "broker find", "broker cancel", "broker events"),
        *("store read", "store commit"),
    }
