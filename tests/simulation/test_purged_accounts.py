"""The log of a portfolio with two accounts is archived and purged while it runs, and universes come
and go meanwhile: everybody goes on from what is left, whoever dies after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from stratvector.runtime import purging
from stratvector.runtime.chapters import Standing
from stratvector.runtime.documents import wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Kind, Ports
from stratvector.runtime.simulation.fate import CrashPlan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import ProcessFailed
from stratvector.trading.lanes import fills_lanes, orders_lane, positions_lane
from stratvector.trading.parity import check
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.session import Session
from tests.sessions.archived_flow import (
    Archiving,
    archive_in,
    noted_commits,
    with_whole_log,
)
from tests.sessions.changed_sessions import Applying
from tests.sessions.crash_places import is_long
from tests.sessions.generated_sessions import Shape, generated_session, over_accounts
from tests.sessions.rewritten_log import chapters_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, breaches_of, run_flow
from tests.sessions.symbol_flow import SIDES, STEPS
from tests.simulation.test_changed_universes import names_in, whole
from tests.simulation.test_universes_and_crashes import last_of, there_and_back

SHAPE = Shape(universes=2, symbols=2, models=2, closes=20, warmup=2)
SLOW = Faults(delay_seconds_max=0.2)
CLOSES = 2
REAL_PLACES = purging.own_places


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return noted_commits(monkeypatch)


@pytest.fixture
def archiving(committed: list[int], tmp_path: Path) -> Callable[..., Archiving]:
    """Whoever archives and purges the next run. A standby that is further behind than what stays
    halts, so of two more stays.
    """

    def made(session: Session, instances: int = 1) -> Archiving:
        committed.clear()
        return Archiving(session, archive_in(tmp_path), committed, keep=2 * instances - 1)

    return made


def assert_goes_on(flow: Flow, beside: Archiving) -> None:
    """From the archive and what is left of the log as from all that was ever stored: each chapter
    is equal, and says the same.
    """
    portfolio, left = flow.session.portfolio, flow.world.bus
    lanes = [orders_lane(portfolio), *fills_lanes(portfolio).values()]
    assert len(lanes) == 3
    assert all(bool(beside.purged[lane]) == bool(beside.begins) for lane in lanes)
    assert not beside.begins or all(left._log(lane).messages[0].previous for lane in lanes)
    beside.archive.verify()
    parts = chapters_of(left, portfolio, beside.archive)
    assert all(check(log, flow.session).is_equal for _, log in parts)
    stored = chapters_of(with_whole_log(flow).world.bus, portfolio)
    assert [repr(log.entries) for _, log in parts] == [repr(log.entries) for _, log in stored]
    assert len(parts) == len(flow.openings) + 1
    for entry in flow.entries:
        assert list(entry.accounts) == list(portfolio.account_names)
        assert sum(entry.accounts.values(), Decimal(0)) == entry.cash


Run = Callable[[Archiving, Sequence[CrashPlan]], Flow]


def trading(session: Session, seed: int, faults: Faults, instances: int) -> Run:
    """Two accounts with a universe each."""

    def run(beside: Archiving, plans: Sequence[CrashPlan]) -> Flow:
        return run_flow(session, seed, faults, plans, None, instances, CLOSES, beside)

    return run


def changing(session: Session, seed: int, faults: Faults, instances: int) -> Run:
    """The same with three, of which one goes and comes back."""
    later = there_and_back(session)
    wishes = [wish_of(one, "ada", number) for number, one in enumerate(later, 1)]

    def run(beside: Archiving, plans: Sequence[CrashPlan]) -> Flow:
        applying = Applying(wishes, 0.1, [], patience_seconds=20.0)

        def both(ports: Ports) -> Tasks:
            return Tasks.of([lambda: beside(ports), lambda: applying(ports)])

        return run_flow(
            session, seed, faults, plans, None, instances, CLOSES, both, later=later
        )  # fmt: skip

    return run


def of_changes(seed: int) -> Session:
    return whole(seed, replace(SHAPE, universes=3, closes=44, accounts=2))


def every(request: pytest.FixtureRequest, few: int, many: int) -> int:
    return many if is_long(request) else few


def test_storms_change_no_result(
    archiving: Callable[..., Archiving], request: pytest.FixtureRequest
) -> None:
    purges, seeds = 0, every(request, 2, 40)
    for seed in range(seeds):
        session = over_accounts(generated_session(seed, SHAPE), 2, strict=seed % 2 == 1)
        instances = 1 + seed % 2
        beside = archiving(session, instances)
        flow = trading(session, seed, Faults.stormy(), instances)(beside, [])
        assert_goes_on(flow, beside)
        assert breaches_of(flow) == []
        purges += len(beside.begins)
    assert purges > seeds


def test_storms_change_nothing_while_universes_come_and_go(
    archiving: Callable[..., Archiving], request: pytest.FixtureRequest
) -> None:
    back = purges = 0
    for seed in range(1, 1 + every(request, 2, 40)):
        session = of_changes(seed)
        instances = 1 + seed % 2
        beside = archiving(session, instances)
        flow = changing(session, seed, Faults.stormy(), instances)(beside, [])
        assert_goes_on(flow, beside)
        assert breaches_in_the_log(flow) == []
        there = [last_of(session) in names for names in names_in(flow)]
        back += there[-1] and not all(there)
        purges += len(beside.begins)
    assert back
    assert purges


def test_positions_are_numbered_on_where_the_ledger_changed_hands_before_the_purge(
    archiving: Callable[..., Archiving],
) -> None:
    """And the new owner had nothing to say yet when its chapter ended."""
    seed = 22
    session = over_accounts(generated_session(seed, SHAPE), 2)
    beside = archiving(session)
    flow = trading(session, seed, Faults.stormy(), 1)(beside, [])
    lane, listed = positions_lane(session.portfolio), beside.archive.listed()
    assert listed is not None
    marks = {
        one.sequence
        for one in flow.world.bus.journal
        if one.message.subject == lane and one.message.kind is Kind.OWNER
    }
    purged_up_to = {listed.chapters[number - 2].read[lane] for number in beside.begins}
    assert marks & purged_up_to
    assert_goes_on(flow, beside)
    assert breaches_of(flow) == []


@pytest.mark.parametrize(("service", "effect"), [*STEPS, ("beside", "bus purge")])
def test_a_crash_after_the_purge_changes_nothing(
    service: str,
    effect: str,
    archiving: Callable[..., Archiving],
    request: pytest.FixtureRequest,
) -> None:
    """The next step that a service comes to, once the log begins later; and a purge that ends half
    way. The bars of a replay are all there by then, but for those of a universe that comes.
    """
    is_late = effect == "publish BARS"
    session = of_changes(1) if is_late else over_accounts(generated_session(1, SHAPE), 2, True)
    run, calm = (changing if is_late else trading)(session, 1, SLOW, 1), archiving(session)
    flow = run(calm, [])
    assert_goes_on(flow, calm)
    assert len(calm.begins) > 2
    counts = sorted({seen[service, effect] for seen in calm.seen})
    met = [count + 1 for count in counts if count < flow.world.effects[service, effect]]
    assert met
    for occurrence in met[len(met) // 2 :][:1] if every(request, 1, 0) else met:
        for when in SIDES:
            beside = archiving(session)
            flow = run(beside, [CrashPlan(service, effect, occurrence, when)])
            assert flow.world.crashes[service, effect, when] == 1
            assert beside.begins
            assert_goes_on(flow, beside)
            found = breaches_in_the_log(flow) if is_late else breaches_of(flow)
            assert found == [], f"crash {when} {effect} {occurrence}"


def test_a_purge_of_what_the_second_account_needs_is_caught(
    archiving: Callable[..., Archiving],
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    """Planted: of its fills more goes than of the first one's; the archive says that it is gone."""

    def further(kept: Standing, portfolio: Portfolio) -> dict[str, int]:
        places = REAL_PLACES(kept, portfolio)
        *_, last = fills_lanes(portfolio).values()
        return places | {last: places[last] + 2 * CLOSES + 1}

    monkeypatch.setattr(purging, "own_places", further)
    session = over_accounts(generated_session(1, SHAPE), 2, strict=True)
    with pytest.raises(ProcessFailed, match=r"no more what fills\.\S+\.account_1 said") as caught:
        trading(session, 1, Faults.stormy(), 1)(archiving(session), [])
    say(f"planted: purge of what the second account needs, caught by {caught.value}")
