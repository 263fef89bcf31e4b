"""Two portfolios over one live feed, of which one changes its symbols or universes: the other one
does what it would have done.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stratvector.runtime.simulation.world import World
from stratvector.trading.orders import Cut
from tests.sessions.live_claims import breaches, chapters, minutes, published
from tests.sessions.live_flow import Change, LivePlay, live_session

MAIN, OTHER = (live_session(name, coins="AB", metals="CD") for name in ("main", "other"))
UNTIL = 16.5


def play(
    *changes: Change, away: tuple[float, float] | None = None, until: float = UNTIL
) -> LivePlay:
    world = World(horizon_seconds=3_600.0)
    played = LivePlay(world, [MAIN, OTHER], changes, away=away).run(until)
    assert breaches(played, "main") == []
    assert breaches(played, "other") == []
    return played


def closes_of(played: LivePlay, lane: str) -> list[int]:
    return minutes([section.close_time for section in published(played, lane)])


def told(played: LivePlay, name: str) -> tuple[str, Sequence[str]]:
    """All that a portfolio used and did, and its chapters. Places in the streams, which portfolios
    share, are left out.
    """
    entries = played.log(name).entries
    assert len(entries) == len(range(2, 17))
    decisions = [replace(one.decision, cut=Cut()) for one in entries]
    cuts = [(one.decision.cut.bars, one.decision.cut.signals) for one in entries]
    rest = [(one.signals, one.events, one.positions, one.equity, one.marks) for one in entries]
    return repr((decisions, cuts, rest)), chapters(played, name)


@pytest.mark.parametrize(
    "symbols",
    [
        {"coins": "EAB", "metals": "CD"},
        {"coins": "A", "metals": "CD"},
        {"coins": "AB"},
        {"coins": "EB", "metals": "DFC"},
    ],
    ids=["a symbol comes", "a symbol goes", "a universe goes", "symbols come and go"],
)
@pytest.mark.parametrize("away", [None, (7.1, 9.4)], ids=["calm", "market_data dies"])
def test_the_other_portfolio_does_what_it_would_have_done(
    symbols: dict[str, str], away: tuple[float, float] | None
) -> None:
    changed = play(Change(6.3, live_session("main", **symbols)), away=away)
    assert changed.refusals == []
    assert len(chapters(changed, "main")) > 2
    assert told(changed, "other") == told(play(away=away), "other")
    for lane in ("bars.live.1.coins.1M", "bars.live.1.metals.2M"):
        assert closes_of(changed, lane)[-1] == 16, "the other one reads on"


def test_both_read_one_lane_of_the_new_version_whenever_they_come_to_it() -> None:
    main, other = (live_session(name, coins="ABE", metals="CD") for name in ("main", "other"))
    changes = [Change(6.3, main), Change(9.3, other)]
    played = play(*changes)
    assert chapters(played, "main")[-2] == "coins=2 8-16: ABE"
    assert chapters(played, "other")[-2] == "coins=2 11-16: ABE"
    assert closes_of(played, "bars.live.1.coins=2.1M") == [*range(5, 17)]
    assert closes_of(played, "bars.live.1.coins.1M")[-1] == 11, "nobody reads on"


@pytest.mark.parametrize("away", [None, (10.4, 11.2)], ids=["calm", "market_data dies before"])
def test_a_version_with_other_symbols_than_the_first_one_has_is_refused(
    away: tuple[float, float] | None,
) -> None:
    changes = [
        Change(6.3, live_session("main", coins="ABE", metals="CD")),
        Change(11.5, live_session("other", coins="ABF", metals="CD")),
    ]
    played = play(*changes, away=away)
    assert [one for one in chapters(played, "other") if "F" in one or "E" in one] == []
    assert played.why_not(2).startswith("market_data: ")
    assert "bars.live.1.coins=2.1M" in played.why_not(2)


def test_a_lane_that_one_left_is_taken_up_by_the_other_without_a_hole() -> None:
    """It rests from the eighth minute on, when both have left it, until one comes back to it."""
    other = live_session("other", coins="AB")
    sessions = [MAIN, other]
    changes = [
        Change(6.3, live_session("main", coins="AB")),
        Change(11.3, live_session("other", coins="AB", metals="CD")),
    ]
    world = World(horizon_seconds=3_600.0)
    played = LivePlay(world, sessions, changes).run(UNTIL)
    assert [breaches(played, name) for name in ("main", "other")] == [[], []]
    assert played.refusals == []
    assert closes_of(played, "bars.live.1.metals.2M") == [*range(-4, 17, 2)]
    assert chapters(played, "other")[-1].startswith("metals=1 ")
