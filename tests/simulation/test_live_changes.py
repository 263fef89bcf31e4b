"""Portfolios over live feeds that change under flow: each version of a universe has a lane of its
own, with its warm-up from the venue, and goes on right after the last close of the one before.
"""

from collections.abc import Mapping

import pytest

from stratvector.runtime.session_document import EndlessSession
from stratvector.runtime.simulation.world import World
from tests.sessions.live_claims import breaches, chapters, minutes, published, used
from tests.sessions.live_flow import Change, LivePlay, live_session
from tests.sessions.scripted_feed import Script, price

COINS, METALS = "bars.live.1.coins", "bars.live.1.metals"
BOTH = live_session(coins="AB", metals="CD")
APPLIED = 6.3  # minutes; a chapter with it opens after the close of the seventh


def play(
    minutes: float,
    before: EndlessSession,
    *changes: Change,
    scripts: Mapping[str, Script] | None = None,
    closes_per_chapter: int = 5_000,
    away: tuple[float, float] | None = None,
) -> LivePlay:
    """A finished play in which nothing was refused and nothing broke."""
    world = World(horizon_seconds=3_600.0)
    parts = (world, [before], changes, scripts or {})
    played = LivePlay(*parts, closes_per_chapter=closes_per_chapter, away=away).run(minutes)
    assert played.refusals == []
    assert breaches(played) == []
    return played


def closes_of(played: LivePlay, lane: str) -> list[int]:
    return minutes([section.close_time for section in published(played, lane)])


def test_an_added_symbol_has_a_warm_up_from_the_venue_and_every_close_since() -> None:
    played = play(12.5, live_session(coins="AB"), Change(APPLIED, live_session(coins="ABC")))
    assert chapters(played) == ["coins=1 2-7: AB", "coins=2 8-12: ABC"]
    assert closes_of(played, f"{COINS}=2.1M") == [5, 6, 7, 8, 9, 10, 11, 12]
    assert closes_of(played, f"{COINS}.1M") == [*range(-1, 9)], "nobody reads on in the lane before"
    for section in published(played, f"{COINS}=2.1M"):
        (number,) = minutes([section.close_time])
        assert section.open.tolist() == [price(symbol, number) for symbol in "ABC"]
    bought = [o.symbol for close in played.log().closes for o in close.decision.noun.orders]
    assert "C" in bought


def test_a_held_symbol_is_sold_over_the_feed_that_it_has_and_then_goes() -> None:
    """The model holds at every other close, so one of these two finds the symbol held."""
    told = []
    for minute in (APPLIED, APPLIED + 1.0):
        less = live_session(coins="A")
        played = play(14.5, live_session(coins="AB"), Change(minute, less))
        told.append(chapters(played))
        assert closes_of(played, f"{COINS}=2.1M") == [*range(7, 15)]
        assert [section.symbols for section in used(played.log(), "coins")][-1] == ("A",)
    assert told == [
        ["coins=1 2-7: AB", "coins=1 8-9: A without B", "coins=2 10-14: A"],
        ["coins=1 2-8: AB", "coins=1 9-9: A without B", "coins=2 10-14: A"],
    ]


def test_a_universe_comes_goes_and_comes_back_over_a_lane_of_its_own_each_time() -> None:
    alone = live_session(coins="AB")
    changes = [
        Change(6.3, BOTH),
        Change(12.3, alone),
        Change(19.3, live_session(models="back", coins="AB", metals="CD")),
    ]
    played = play(26.5, alone, *changes)
    assert [one for one in chapters(played) if "metals" in one] == [
        "metals=1 8-12: CD",
        "metals=1 14-16:  without CD",
        "metals=2 22-26: CD",
    ]
    assert closes_of(played, f"{METALS}.2M")[:3] == [2, 4, 6]
    assert closes_of(played, f"{METALS}=2.2M") == [16, 18, 20, 22, 24, 26]
    assert closes_of(played, f"{COINS}.1M") == [*range(-1, 27)], "the other lane is one"


def away(start: float, end: float) -> Script:
    """A venue that does not answer between these seconds of the world."""
    return Script(outages=[(start, end)])


def test_a_source_that_is_away_over_the_change_is_filled_when_it_is_back() -> None:
    """With no other universe everything waits; the new lane then has all candles, those too that
    the lane before went without.
    """
    scripts = {"coins": away(370.0, 600.0)}
    played = play(
        14.5, live_session(coins="AB"), Change(6.3, live_session(coins="ABC")), scripts=scripts
    )
    assert chapters(played) == ["coins=1 2-7: AB", "coins=2 8-14: ABC"]
    missing = {
        minutes([section.close_time])[0]
        for lane in (f"{COINS}.1M", f"{COINS}=2.1M")
        for section in published(played, lane)
        if (section.open != section.open).any()
    }
    assert missing == {7, 8}
    assert not any((one.open != one.open).any() for one in published(played, f"{COINS}=2.1M"))


@pytest.mark.parametrize("seconds", [*range(410, 424, 2)])
def test_while_one_source_is_away_over_the_change_the_other_universe_trades_on(
    seconds: int,
) -> None:
    """It falls silent at any moment from before the proposal to before the first new bars."""
    scripts = {"metals": away(seconds, 660.0)}
    before = live_session(coins="AB", metals="CD")
    after = live_session(coins="AB", metals="CDE")
    played = play(16.5, before, Change(6.3, after), scripts=scripts)
    assert chapters(played)[1::2] == ["metals=1 2-6: CD", "metals=2 8-16: CDE"]
    closes = played.log().closes
    assert {"metals"} == {name for close in closes for name in close.absent}
    assert minutes([section.close_time for section in used(played.log(), "coins")]) == [
        *range(2, 17)
    ]


@pytest.mark.parametrize("seconds", [416, 420, 424, 428, 470, 482])
def test_an_added_universe_whose_source_falls_silent_comes_when_it_is_back(seconds: int) -> None:
    """Where it was not checked before, ten minutes later, as the change stays wanted."""
    scripts = {"metals": away(seconds, 780.0)}
    played = play(22.5, live_session(coins="AB"), Change(6.3, BOTH), scripts=scripts)
    (added,) = [one for one in chapters(played) if "metals" in one]
    assert added == ("metals=1 20-22: CD" if seconds < 424 else "metals=1 8-22: CD")


def test_a_universe_whose_venue_does_not_answer_keeps_no_other_change_from_holding() -> None:
    scripts = {"metals": away(300.0, 1e9)}
    changes = [Change(6.3, BOTH), Change(9.3, live_session(coins="ABC"))]
    played = play(13.5, live_session(coins="AB"), *changes, scripts=scripts)
    assert chapters(played)[-1] == "coins=2 11-13: ABC"


def test_a_symbol_that_the_venue_does_not_have_is_refused_and_the_portfolio_goes_on() -> None:
    played = play(12.5, live_session(coins="AB"), Change(6.3, live_session(coins="ABZ")))
    assert chapters(played)[-1] == "coins=1 8-12: AB"
    assert played.why_not(1) == "market_data: universe coins: no Z"


def test_market_data_that_is_away_over_the_change_fills_what_was_missed() -> None:
    """No close, no decision: the change holds once there are bars again."""
    after = live_session(coins="ABE", metals="CD")
    played = play(16.5, BOTH, Change(6.3, after), away=(6.1, 10.4))
    assert chapters(played)[-2:] == ["coins=2 8-16: ABE", "metals=1 8-16: CD"]
    for lane in (f"{COINS}.1M", f"{COINS}=2.1M", f"{METALS}.2M"):
        assert not any((one.open != one.open).any() for one in published(played, lane))


@pytest.mark.parametrize("dead", [None, (22.5, 23.1)])
def test_a_feed_that_begins_chapters_late_begins_where_its_own_chapter_did(
    dead: tuple[float, float] | None,
) -> None:
    """A source is away over the change and six chapters more, whether or not market_data starts
    anew meanwhile: the closes that were missed are used in order, by a model that counts each, and
    the warm-up is that before the change.
    """
    after = live_session(coins="AB", metals="CDE")
    scripts = {"metals": away(370.0, 1_500.0)}
    played = play(30.5, BOTH, Change(6.3, after), away=dead, scripts=scripts, closes_per_chapter=3)
    assert closes_of(played, f"{METALS}=2.2M") == [*range(2, 31, 2)]
    late = [minutes([one.close_time for one in c.late_sections]) for c in played.log().closes]
    assert [*range(8, 25, 2)] in late


def test_each_figure_of_a_feed_is_told_once_whatever_versions_there_were() -> None:
    changes = [Change(6.3, live_session(coins="ABC")), Change(9.3, live_session(coins="ABCD"))]
    played = play(14.5, live_session(coins="AB"), *changes)
    (feeds,) = played.feeds
    found = [
        (sample.name, *sample.labels.items()) for one in feeds.collect() for sample in one.samples
    ]
    assert found
    assert len(set(found)) == len(found)
    counts = {one.name: one.samples[0].value for one in feeds.collect() if one.samples}
    assert counts["stratvector_feed_last_close_seconds"] == 1_700_006_400 + 14 * 60
    lanes = [f"{COINS}{version}.1M" for version in ("", "=2", "=3")]
    assert counts["stratvector_feed_closes"] == sum(len(closes_of(played, one)) for one in lanes)


def test_a_chapter_may_end_before_the_universe_that_came_with_it_has_closed() -> None:
    """A symbol goes with the document that adds the universe: one close later it is sold, and the
    next chapter opens.
    """
    after = live_session(coins="A", metals="CD")
    played = play(14.5, live_session(coins="AB"), Change(7.3, after))
    assert chapters(played)[1:] == [
        "coins=1 9-9: A without B",
        "metals=1 none: CD",
        "coins=2 10-14: A",
        "metals=1 10-14: CD",
    ]
