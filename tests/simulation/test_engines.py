"""Two engines in one running run: processes are replaced service by service, in any order, come and
go and die at every step; no result changes, and each chapter is decided by the engine it names.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import pytest

from stratvector.runtime.chapters import ChapterWriter
from stratvector.runtime.documents import wish_of
from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.flow import COMPUTING
from stratvector.trading.lanes import orders_lane
from stratvector.trading.meaning.means import AccountMeans
from stratvector.trading.orders import ApprovedOrder, Decision
from stratvector.trading.portfolio import ModelAllocation
from tests.sessions.changed_sessions import Applying, with_model
from tests.sessions.engine_flow import (
    NEW,
    OLD,
    SHAPE,
    SLOW,
    Stay,
    breaches,
    decided_by_another,
    engines_of,
    rolled,
    run_engines,
    takers,
)
from tests.sessions.generated_sessions import DriftStrategy
from tests.sessions.late_flow import paper_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import breaches_in_the_log
from tests.sessions.symbol_flow import wider

SIDES: tuple[When, ...] = ("before", "after")
SHORT = replace(SHAPE, closes=30)
# Risk alone, early enough for a short session.
RISK = [Stay("risk", OLD, ends_seconds=4.0), Stay("risk", NEW, 2.0)]


@pytest.mark.parametrize("order", list(permutations(COMPUTING)), ids="-".join)
def test_services_are_replaced_one_after_the_other_in_any_order(order: tuple[str, ...]) -> None:
    """Nothing is lost, not even a close: orders, fills and equity are the backtest's."""
    seed = list(permutations(COMPUTING)).index(order)
    flow = run_engines(paper_session(seed, SHAPE), rolled(order), seed)
    assert breaches(flow) == []
    assert engines_of(flow) == [OLD, NEW]
    for service, engines in takers(flow).items():
        assert engines == sorted(engines), f"{service}: the new engine never gives way"
        assert set(engines) == {OLD, NEW}
    told = log_of(flow.world.bus, flow.session).other_engines
    is_before = order.index("execution") < order.index("risk")
    fills = {(one.chapter, one.engine) for one in told if one.noun == "fills"}
    assert fills == {(1, NEW) if is_before else (2, OLD)}
    # Models run ahead, so those of the new engine may say nothing in a chapter of the old one.
    is_before = order.index("strategy") < order.index("risk")
    signals = {(one.chapter, one.engine) for one in told if one.noun == "signals"}
    assert signals <= {(1, NEW) if is_before else (2, OLD)}


@pytest.mark.parametrize("when", SIDES)
def test_a_crash_at_every_step_of_a_take_over_changes_nothing(
    when: When, say: Callable[[str], None]
) -> None:
    """The heir's mark, the content of its chapter, the opening, and the decisions after it; and the
    lease that it takes.
    """
    session = paper_session(1, SHORT)
    calm = run_engines(session, RISK, 1)
    assert engines_of(calm) == [OLD, NEW]
    lane = orders_lane(session.portfolio)
    written = [s.message.kind for s in calm.world.bus.journal if s.message.subject == lane]
    marked, opened = written.index(Kind.OWNER, 1), written.index(Kind.OPENED)
    assert opened == marked + 1
    plans = [("publish ORDERS", 1 + place) for place in range(marked - 1, opened + 3)]
    plans.append(("publish CHAPTERS", 2))
    steps = calm.world.effects["risk", "kv put"]
    plans += [("kv put", 1 + steps * part // 4) for part in range(1, 4)]
    for effect, occurrence in plans:
        plan = CrashPlan("risk", effect, occurrence, when)
        flow = run_engines(session, RISK, 1, plans=[plan])
        assert breaches(flow) == [], plan
        assert engines_of(flow) == [OLD, NEW], plan
        assert sum(flow.world.crashes.values()) == 1, plan
    say(f"crashes {when} a step of another engine's take-over: {len(plans)}")


def test_a_chapter_that_was_proposed_and_never_opened_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The heir dies for good after it has stored the content; the old engine comes back and
    decides on in the chapter that there was.
    """
    real, tried = ChapterWriter.open, list[str]()

    async def hang(self, orders, before, carried, wanted=None):  # type: ignore[no-untyped-def]
        if self.engine == NEW:
            stored = await self.propose(orders, before, carried, wanted)
            tried.append(stored.message.id)
            await self._clock.sleep(1e6)
        return await real(self, orders, before, carried, wanted)

    monkeypatch.setattr(ChapterWriter, "open", hang)
    stays = [
        Stay("risk", OLD, 0.0, 3.0),
        Stay("risk", NEW, 1.0, 8.0),
        Stay("risk", OLD, 8.0),
    ]
    flow = run_engines(paper_session(2, SHORT), stays, 2, closes_per_chapter=5)
    assert breaches(flow) == []
    assert tried
    assert set(engines_of(flow)) == {OLD}
    assert tried[0] not in {one.chapter_id for one in flow.openings}


def test_a_run_in_which_nothing_was_decided_goes_on_with_another_engine() -> None:
    """Wanted on a Friday and upgraded on the Saturday: the first decision is of the new engine, in
    a chapter that begins with nothing.
    """
    stays = [Stay("risk", OLD, 0.0, 3.0), Stay("risk", NEW, 1.0)]
    late = [Stay("strategy", NEW, 8.0)]  # without signals nothing is decided
    flow = run_engines(paper_session(3, SHORT), [*stays, *late], 3)
    assert breaches(flow) == []
    assert engines_of(flow) == [OLD, NEW]
    assert [opened.close_time for opened in flow.openings] == [0]
    assert {decision.chapter for decision in flow.decisions} == {2}


def test_an_owner_that_slept_meets_the_next_chapter_and_stands_by() -> None:
    """It waits for fills, and wakes with those of a chapter that another engine has opened since;
    execution was away as well, so it closes the close in that chapter.
    """
    risk = [Stay("risk", OLD), Stay("risk", NEW, 0.5)]
    stays, changed = [*risk, Stay("execution", OLD, 0.0, 4.0), Stay("execution", OLD, 12.0)], 0
    for occurrence in range(14, 44, 3):
        sleep = FaultPlan("risk", "next", occurrence, Fate(pause_seconds=16.0))
        flow = run_engines(paper_session(5, SHORT), stays, 5, plans=[sleep])
        assert breaches(flow) == [], occurrence
        changed += engines_of(flow)[:2] == [OLD, NEW]
    assert changed > 3


def test_chapters_open_one_after_the_other_while_nothing_is_decided() -> None:
    """In the middle of a run: execution is away, and risk goes from engine to engine. Who begins
    with the last of them, as standby or after a kill, passes over the openings of the others.
    """
    stays = [
        Stay("execution", OLD, 0.0, 4.0),
        Stay("execution", OLD, 16.0),
        Stay("risk", OLD, 0.0, 6.0),
        Stay("risk", NEW, 5.0, 10.0),
        Stay("risk", OLD, 9.0, 14.0),
        Stay("risk", NEW, 13.0, 19.0),
        Stay("risk", NEW, 15.5),
    ]
    session = paper_session(6, SHAPE)
    calm = run_engines(session, stays, 6)
    decided, opened = calm.world.effects["risk", "publish ORDERS"], calm.openings
    assert engines_of(calm) == [OLD, NEW, OLD, NEW]
    assert len({opening.close_time for opening in opened}) == 1
    assert opened[0].close_time > 0
    assert breaches(calm) == []
    for occurrence in (decided - 6, decided - 2):
        killed = CrashPlan("risk", "publish ORDERS", occurrence, "after")
        assert breaches(run_engines(session, stays, 6, plans=[killed])) == []


def test_orders_are_held_against_what_the_account_has_when_another_engine_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also what was filled at the close that execution had closed before the chapter opened."""
    real, noted = AccountMeans.check, list[tuple[int, dict[str, int]]]()

    def check(self: AccountMeans, decision: Decision, orders: Sequence[ApprovedOrder]) -> None:
        held = {symbol: lots for symbol, lots in self._lots.items() if lots}
        noted.append((decision.close_time, held))
        real(self, decision, orders)

    monkeypatch.setattr(AccountMeans, "check", check)
    for seed in range(4):
        flow = run_engines(paper_session(seed, SHORT), RISK, seed)
        assert breaches(flow) == []
        assert engines_of(flow) == [OLD, NEW]
        held = {entry.close_time: entry.positions for entry in flow.entries}
        assert [held[close] for close, _ in noted] == [lots for _, lots in noted], f"seed {seed}"
        noted.clear()


def test_a_lane_moves_to_a_member_with_the_engine_of_its_chapter() -> None:
    """Nobody dies: when risk has gone on with the new engine, execution and strategy follow."""
    stays = [*RISK]
    for service in ("execution", "strategy"):
        stays += [Stay(service, OLD), Stay(service, NEW, 1.0)]
    flow = run_engines(paper_session(4, replace(SHAPE, closes=60)), stays, 4)
    assert breaches(flow) == []
    assert takers(flow)["execution"] == [OLD, NEW]
    assert takers(flow)["strategy"] == [OLD, OLD, NEW, NEW]
    assert not flow.world.losses


def test_documents_are_applied_while_engines_change(
    request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    """A model, then a symbol: whoever proposed a chapter for it may be gone before it opens."""
    held = changes = 0
    turns = enumerate((OLD, NEW) * 3)
    risk = [Stay("risk", engine, 5.0 * n, 5.0 * n + 6.0) for n, engine in turns]
    stays = [*risk, Stay("risk", NEW, 30.0)]
    seeds = range(16 if request.config.getoption("--long") else 2)
    for seed in seeds:
        session = paper_session(seed, replace(SHAPE, closes=100))
        added = ModelAllocation("added", session.portfolio.universes[0].name, 0.2)
        more = with_model(session, added, DriftStrategy(2, 0.001))
        later = [more, wider(more)]
        wishes = [wish_of(one, "ada", number) for number, one in enumerate(later, 1)]
        applying = Applying(wishes, 1.0 + seed / 2, [], patience_seconds=8.0)
        flow = run_engines(session, stays, seed, beside=applying, later=later)
        assert [*breaches_in_the_log(flow), *decided_by_another(flow)] == [], f"seed {seed}"
        assert applying.refusals == []
        chapters = log_of(flow.world.bus, session).chapters
        held += any(one.noun.document == wishes[-1].document for one in chapters)
        changes += sum(one != other for one, other in pairwise(engines_of(flow)))
    say(f"a model and a symbol added in {held} of {len(seeds)} runs, {changes} other engines")
    assert held
    assert changes >= 2 * len(seeds)


def flapping(seed: int) -> list[Stay]:
    """Instances of both engines come and go; the last one of each service stays."""
    dice, stays = random.Random(seed), list[Stay]()
    for service in COMPUTING:
        begins, engine = 0.0, OLD
        for _ in range(dice.randrange(3, 7)):
            ends = begins + dice.uniform(0.4, 4.0)
            stays.append(Stay(service, engine, begins, ends))
            begins = max(0.0, ends + dice.uniform(-2.0, 1.0))
            engine = dice.choice([OLD, NEW])
        stays.append(Stay(service, engine, begins))
    return stays


def test_flapping_engines_in_storms_change_nothing(
    request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    seeds, seen = range(100 if request.config.getoption("--long") else 8), Counter[str]()
    stormy = replace(Faults.stormy(), delay_seconds_max=0.1)
    for seed in seeds:
        identity, faults = (None, *Identity)[seed % 3], (SLOW, stormy)[seed % 2]
        session, closes = paper_session(seed, replace(SHAPE, closes=24)), (5_000, 7, 3)[seed % 3]
        flow = run_engines(session, flapping(seed), seed, faults, (), identity, closes)
        assert breaches(flow) == [], f"seed {seed}"
        engines = engines_of(flow)
        seen["chapters"] += len(engines)
        seen["other engines"] += sum(one != other for one, other in pairwise(engines))
        seen["without a decision"] += len(engines) - len({d.chapter for d in flow.decisions})
        seen["crashes"] += sum(flow.world.crashes.values())
    assert seen["other engines"] > len(seeds) / 2
    assert seen["without a decision"]
    say(f"flapping engines, {len(seeds)} seeds: {dict(seen)}")
