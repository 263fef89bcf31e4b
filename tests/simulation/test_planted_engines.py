"""Rules of two engines in one run broken one by one: each is caught."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import ProcessFailed
from stratvector.runtime.taking import Taking
from stratvector.services.risk.chapter_fold import ChapterFold
from stratvector.trading.account import PortfolioAccount
from tests.sessions.engine_flow import (
    NEW,
    OLD,
    SHAPE,
    Stay,
    decided_by_another,
    engines_of,
    run_engines,
)
from tests.sessions.late_flow import paper_session
from tests.sessions.simulated_flow import breaches_of

SHORT = replace(SHAPE, closes=30)
RISK = [Stay("risk", OLD, ends_seconds=4.0), Stay("risk", NEW, 2.0)]
# Two with the chapter's engine, of which the owner dies, and one with another.
THREE = [Stay("risk", OLD, 0.0, 4.0), Stay("risk", OLD, 1.0), Stay("risk", NEW, 1.0)]
SEEDS = range(6)


def test_an_heir_that_decides_in_the_chapter_of_another_engine_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """By whoever reads the log, from the marks of its owners."""
    real = ChapterFold.__init__

    def begin(self: ChapterFold, ports: Ports, *rest: object, **named: object) -> None:
        real(self, ports, *rest, **named)  # type: ignore[arg-type]
        vars(self)["own"] = ports.engine

    monkeypatch.setattr(ChapterFold, "__init__", begin)
    monkeypatch.setattr(ChapterFold, "engine", property(lambda self: vars(self)["own"]))
    flow = run_engines(paper_session(1, SHORT), RISK, 1)
    assert engines_of(flow) == [OLD]
    assert decided_by_another(flow)
    told = breaches_of(flow)
    say(f"planted: another engine decides in an old chapter, caught: {told[0][:120]}")
    assert f"holds a decision by engine {NEW} in chapter 1, which is of engine {OLD}" in told[0]


def test_a_lane_that_is_taken_while_the_engine_of_its_chapter_lives_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    def found() -> list[list[str]]:
        sessions = (paper_session(seed, SHORT) for seed in SEEDS)
        return [engines_of(run_engines(s, THREE, n)) for n, s in enumerate(sessions)]

    assert found() == [[OLD]] * len(SEEDS)

    async def at_once(self: Taking) -> bool:
        return True

    monkeypatch.setattr(Taking, "may_take", at_once)
    early = sum(NEW in engines for engines in found())
    say(f"planted: a lane taken while its engine lives, caught in {early} of {len(SEEDS)} runs")
    assert early


def test_an_engine_that_counts_otherwise_does_not_go_on_from_what_another_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sentence says where they part, and the lane is left to whoever can."""

    class Other(PortfolioAccount):
        @property
        def equity(self) -> float:
            return super().equity + 0.5

    real = ChapterFold.__init__

    def begin(self: ChapterFold, ports: Ports, *rest: object, **named: object) -> None:
        real(self, ports, *rest, **named)  # type: ignore[arg-type]
        if ports.engine == NEW:
            self.account = Other(self.portfolio, self.standing.carried)

    monkeypatch.setattr(ChapterFold, "__init__", begin)
    why = rf"by engine {OLD}; at .* the log has equity .* and this engine comes to equity .*: go on"
    with pytest.raises(ProcessFailed, match=why) as failed:
        run_engines(paper_session(1, SHORT), RISK, 1)
    assert "\n" not in str(failed.value)
