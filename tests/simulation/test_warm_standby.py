"""A standby of risk adopts what the owner decides, so that an heir has little left to adopt."""

from collections import Counter
from typing import Any

import pytest

from stratvector.runtime.fills_reader import FillsReader
from stratvector.runtime.ports import Stored
from stratvector.runtime.simulation.fate import CrashPlan
from stratvector.runtime.simulation.faults import Faults
from stratvector.services.risk.chapter_fold import ChapterFold
from stratvector.services.risk.portfolio_lane import PortfolioLane
from stratvector.services.risk.standby import Standby
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.silent_flow import SLOW, paced, session_of
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SESSION = generated_session(11, Shape(universes=2, symbols=2, models=3, closes=160))
KILLED_AFTER = 140  # decisions


def killed_owner(
    monkeypatch: pytest.MonkeyPatch, closes_per_chapter: int, faults: Faults | None = None
) -> tuple[Flow, Counter[str]]:
    """A run whose owner of the orders lane is killed late; how many decisions each instance adopted
    from its lane's history, when it had it.
    """
    adopted, of = Counter[str](), PortfolioLane._adopt

    async def counted(lane: PortfolioLane, fold: ChapterFold, stored: Stored) -> None:
        adopted[lane._ports.instance] += 1
        await of(lane, fold, stored)

    monkeypatch.setattr(PortfolioLane, "_adopt", counted)
    plan = CrashPlan("risk", "publish ORDERS", KILLED_AFTER, "after")
    flow = run_flow(SESSION, 2, faults, [plan], instances=2, closes_per_chapter=closes_per_chapter)
    assert flow.world.crashes.total() == 1
    return flow, adopted


@pytest.mark.parametrize("closes_per_chapter", [1_000, 30])
def test_an_heir_has_adopted_most_before_the_lane_is_its_own(
    closes_per_chapter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, adopted = killed_owner(monkeypatch, closes_per_chapter)
    assert breaches_of(flow) == []
    assert len(flow.openings) >= KILLED_AFTER // closes_per_chapter
    assert adopted.total() < 20


def test_without_it_the_heir_would_adopt_the_whole_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rest(standby: Standby, seconds: float) -> None:
        await standby._ports.clock.sleep(seconds)

    monkeypatch.setattr(Standby, "rest", rest)
    _, adopted = killed_owner(monkeypatch, 1_000)
    assert adopted.total() >= KILLED_AFTER - 20


def test_a_standby_that_cannot_adopt_stands_by_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopts, tries = Standby._adopts_next, Counter[str]()

    async def failing(standby: Standby) -> bool:
        tries[standby._ports.instance] += 1
        if tries[standby._ports.instance] > 60:
            raise ValueError("planted: what the owner decided can't be read")
        return await adopts(standby)

    monkeypatch.setattr(Standby, "_adopts_next", failing)
    flow, adopted = killed_owner(monkeypatch, 1_000)
    assert breaches_of(flow) == []
    assert adopted.total() >= KILLED_AFTER - 20
    assert max(tries.values()) == 61


def test_an_heir_answers_before_the_next_close_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run with deadlines execution says which close is next, and that may take hours."""
    paced(monkeypatch)
    answers, waits, closes = list[bool](), FillsReader.after, PortfolioLane._close
    lanes, decided_on, enter = list[PortfolioLane](), list[bool](), PortfolioLane._enter

    def begun(lane: PortfolioLane, fold: ChapterFold) -> None:
        lanes.append(lane)
        enter(lane, fold)

    async def waiting(reader: FillsReader, *told: Any) -> Any:
        answers.append(bool(lanes) and lanes[-1].answered_from().is_current)
        return await waits(reader, *told)

    async def closing(lane: PortfolioLane, *told: Any) -> None:
        decided_on.append(answers[-1])
        await closes(lane, *told)

    monkeypatch.setattr(PortfolioLane, "_enter", begun)
    monkeypatch.setattr(FillsReader, "after", waiting)
    monkeypatch.setattr(PortfolioLane, "_close", closing)
    plan = CrashPlan("risk", "publish ORDERS", 6, "after")
    flow = run_flow(session_of(1), 0, SLOW, [plan])
    assert flow.world.crashes.total() == 1
    assert breaches_of(flow) == []
    assert all(decided_on)


@pytest.mark.parametrize("seed", range(3))
def test_storms_around_standbys_change_nothing(seed: int, request: pytest.FixtureRequest) -> None:
    plans: list[Any] = [CrashPlan("risk", "publish ORDERS", 20 + 25 * n, "after") for n in range(4)]
    faults = Faults.stormy()
    flow = run_flow(SESSION, seed, faults, plans, instances=2, closes_per_chapter=25)
    assert breaches_of(flow) == []
