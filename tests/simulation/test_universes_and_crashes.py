"""Universes that come and go, with everything else that may happen: deaths at every step, another
account, runs with deadlines and silences, and whoever reads the log later.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stratvector.runtime.simulation.fate import CrashPlan
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import without_universe
from tests.sessions.crash_places import occurrences
from tests.sessions.later_readers import assert_archive_is_proven, assert_ledger_from_nothing
from tests.sessions.silent_flow import Silence, paced
from tests.sessions.simulated_flow import Flow, breaches_in_the_log
from tests.sessions.symbol_flow import SIDES, STEPS, applied
from tests.simulation.test_changed_universes import SHAPE, grown, names_in, one_by_one, whole

SMALL = replace(SHAPE, universes=2, closes=16)


def last_of(session: Session) -> str:
    """The last universe whose account has another one, as each account needs one."""
    accounts = [one.account for one in session.portfolio.universes]
    return [u.name for u in session.portfolio.universes if accounts.count(u.account) > 1][-1]


def there_and_back(session: Session) -> list[Session]:
    less = without_universe(session, last_of(session))
    return [less, grown(less, last_of(session), session)]


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_changes_nothing(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = whole(1, SMALL)
    name = last_of(session)
    less = without_universe(session, name)
    more = grown(less, name, session)
    calm = [applied(less, [more], 0.2, instances=2), applied(session, [less], 0.2, instances=2)]
    met = max(flow.world.effects[service, effect] for flow in calm)
    came = went = 0
    for occurrence in occurrences(met, request):
        for when in SIDES:
            plan = CrashPlan(service, effect, occurrence, when)
            grows = applied(less, [more], 0.2, instances=2, plans=[plan])
            shrinks = applied(session, [less], 0.2, instances=2, plans=[plan])
            for flow in (grows, shrinks):
                assert breaches_in_the_log(flow) == [], f"crash {when} {effect} {occurrence}"
            came += name in names_in(grows)[-1]
            went += name not in names_in(shrinks)[-1]
    say(f"crashes of {service} at {effect} around a universe: {met}, {came} came, {went} went")
    assert came
    assert went


@pytest.mark.parametrize("seed", range(4))
def test_storms_with_two_accounts_change_nothing(seed: int) -> None:
    session = whole(seed, replace(SHAPE, accounts=2))
    told = {"instances": 2, "closes_per_chapter": 5}
    flow = one_by_one(session, there_and_back(session), seed, faults=Faults.stormy(), **told)
    assert breaches_in_the_log(flow) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_run_with_deadlines_trades_on_while_universes_come_and_go(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A universe falls silent meanwhile: the one that comes, goes, or stays."""
    session = whole(seed, replace(SHAPE, closes=40))
    session = replace(session, portfolio=replace(session.portfolio, run="paper.1"))
    names = [one.name for one in session.portfolio.universes]
    silent = names[seed % len(names)]
    paced(monkeypatch, [Silence(silent, 6.0, 12.0), Silence(silent, 20.0, 25.0)])
    flow = one_by_one(
        session, there_and_back(session), seed, closes_per_chapter=(4, 5_000)[seed % 2]
    )
    assert breaches_in_the_log(flow) == []
    assert last_of(session) in names_in(flow)[-1]


@pytest.fixture(scope="module")
def flow() -> Flow:
    session = whole()
    return one_by_one(session, there_and_back(session), closes_per_chapter=6)


def test_a_ledger_that_starts_from_nothing_writes_the_same_record(flow: Flow) -> None:
    assert breaches_in_the_log(flow) == []
    assert_ledger_from_nothing(flow)


def test_its_archive_is_proven_chapter_by_chapter(flow: Flow, tmp_path: Path) -> None:
    assert_archive_is_proven(flow, tmp_path)
