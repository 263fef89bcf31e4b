"""Runs into which documents with other symbols are applied."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.documents import wish_of
from stratvector.runtime.simulation.fate import CrashPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.parity import Parity, check
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import Applying, with_symbol, without_symbol
from tests.sessions.crash_places import occurrences
from tests.sessions.generated_sessions import Shape
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow

SHAPE = Shape(universes=2, symbols=2, models=2, closes=60, warmup=2)
SLOW = Faults(delay_seconds_max=0.05)
NEW = "NEW"
SIDES: tuple[When, ...] = ("before", "after")
# Whose death meets the new version, and at which of its steps.
STEPS = [
    ("risk", "publish CHAPTERS"),
    ("risk", "publish ORDERS"),
    ("market_data", "publish BARS"),
    ("market_data", "kv put"),
    ("strategy", "publish SIGNALS"),
    ("execution", "publish FILLS"),
    ("ledger", "store commit"),
]


def first_model(session: Session) -> str:
    """Its name."""
    return session.portfolio.models[0].name


def traded(session: Session) -> str:
    """The universe of the first model."""
    return session.portfolio.models[0].universe


def wider(session: Session, symbol: str = NEW, place: int = 1) -> Session:
    return with_symbol(session, traded(session), symbol, place)


def without_any_symbol(session: Session, random: np.random.Generator) -> Session:
    """All symbols but one, of a universe that has others."""
    lossy = [one for one in session.portfolio.universes if len(one.symbols) > 1]
    loses = lossy[int(random.integers(len(lossy)))]
    return without_symbol(session, loses.symbols[int(random.integers(len(loses.symbols)))])


def applied(
    session: Session, later: Sequence[Session], pause_seconds: float = 0.6, **told: object
) -> Flow:
    """A run into which documents are applied one after the other; none is refused."""
    wishes = [wish_of(one, "ada", number) for number, one in enumerate(later, 1)]
    applying = Applying(wishes, pause_seconds, [])
    parts: dict[str, object] = {"seed": 3, "faults": SLOW} | told
    flow = run_flow(session, beside=applying, later=later, **parts)  # type: ignore[arg-type]
    assert applying.refusals == []
    return flow


def crashed(
    session: Session, wanted: Session, service: str, effect: str, request: pytest.FixtureRequest
) -> Iterator[Flow]:
    """The same with deaths before and after an effect, see `crash_places`; they may make the change
    come later, or leave it wanted, and break no invariant.
    """
    calm = applied(session, [wanted], 0.2, instances=2)
    met = calm.world.effects[service, effect]
    assert met
    for occurrence in occurrences(met, request):
        for when in SIDES:
            plan = CrashPlan(service, effect, occurrence, when)
            flow = applied(session, [wanted], 0.2, instances=2, plans=[plan])
            assert breaches_in_the_log(flow) == [], f"crash {when} {effect} {occurrence}"
            yield flow


def parity_of(flow: Flow) -> Parity:
    """Also by the bars that the chapters promise."""
    log = log_of(flow.world.bus, flow.session)
    return check(log, flow.session, chapter=first_chapter(flow.session))
