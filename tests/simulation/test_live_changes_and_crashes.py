"""Live feeds under portfolios that change, with market_data killed before and after each of its
steps: no close is lost or doubled, and the change holds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from stratvector.runtime.session_document import EndlessSession
from stratvector.runtime.simulation.fate import CrashPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from tests.sessions.live_claims import breaches, chapters
from tests.sessions.live_flow import Change, LivePlay, live_session
from tests.sessions.symbol_flow import SIDES

COINS, BOTH = live_session(coins="AB"), live_session(coins="AB", metals="CD")
BACK = live_session(models="back", coins="AB", metals="CD")
PROPOSED = 6.9  # minutes; the chapter opens after the close of the seventh
LONG_SEEDS = 1_000
HORIZON = 3_600.0
# What market_data publishes, and what it looks at before it says whether a change can hold.
STEPS = ("publish BARS", "kv get")
OTHERS = ("kv put", "bus last", "bus read", "sleep")


@dataclass(frozen=True)
class Case:
    """until : minutes after which the change has been taken up, whoever died."""

    name: str
    before: EndlessSession
    changes: tuple[Change, ...]
    until: float
    proposed: float = PROPOSED

    def play(self, *plans: CrashPlan) -> LivePlay:
        world = World(1, plans=plans, horizon_seconds=HORIZON)
        return LivePlay(world, [self.before], self.changes).run(self.until, self.proposed)


CASES = [
    Case("a symbol added", COINS, (Change(6.3, live_session(coins="ABC")),), 10.6),
    Case("a symbol removed", COINS, (Change(6.3, live_session(coins="A")),), 12.6),
    Case("a universe added", COINS, (Change(6.3, BOTH),), 10.6),
    Case("a universe removed", BOTH, (Change(6.3, COINS),), 11.6),
    Case("a universe back", BOTH, (Change(2.3, COINS), Change(7.3, BACK)), 12.6, 7.9),
]


def plans(case: Case, is_long: bool) -> Iterator[CrashPlan]:
    """Every publish and every look since the change was proposed, one side of each in turns; in a
    long run both sides, and a dozen of each other step.
    """
    calm = case.play(CrashPlan("nobody", "nothing", 1))
    for kind in (*STEPS, *OTHERS) if is_long else STEPS:
        first, last = (
            seen["market_data", kind] for seen in (calm.seen[case.proposed], calm.world.effects)
        )
        stride = 1 if kind in STEPS else max(1, (last - first) // 12)
        for number, occurrence in enumerate(range(first + 1, last + 1, stride)):
            sides: tuple[When, ...] = SIDES if is_long else (SIDES[number % 2],)
            for when in sides:
                yield CrashPlan("market_data", kind, occurrence, when)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_kill_at_each_step_loses_no_close_and_the_change_holds(
    case: Case, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    holds, met = chapters(case.play())[-1].split(" ")[0], 0
    for plan in plans(case, request.config.getoption("--seeds") >= LONG_SEEDS):
        played = case.play(plan)
        assert played.world.crashes.total() == 1, plan
        assert breaches(played) == [], plan
        assert chapters(played)[-1].split(" ")[0] == holds, plan
        met += 1
    assert met > len(STEPS)
    say(f"live feeds: market_data killed at {met} steps of {case.name}, no close lost")


@pytest.mark.parametrize("seed", range(4))
def test_storms_with_standbys_lose_no_close(seed: int) -> None:
    """Everybody dies, loses messages and has a clock of his own."""
    changes = [
        Change(4.3, live_session(coins="ABE", metals="CD")),
        Change(10.3, live_session(coins="ABE")),
        Change(17.3, live_session(models="back", coins="AE", metals="CDF")),
    ]
    world = World(seed, Faults.stormy(), horizon_seconds=HORIZON)
    played = LivePlay(world, [BOTH], changes, instances=2).run(26.6)
    assert breaches(played) == []
    assert len(chapters(played)) > len(chapters(LivePlay(World(), [BOTH]).run(4.6)))
