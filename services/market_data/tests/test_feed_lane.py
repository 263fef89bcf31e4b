"""The feed lane: each close once, in order, as it was known at its deadline, whatever befalls."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from stratvector.contracts.codecs import encode_closed_bars
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan, Loss, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.runtime.unfit_messages import OtherSymbols
from stratvector.trading.bars import ClosedBars
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import bars_lane
from tests.sessions.hand_fed import feed
from tests.sessions.scripted_feed import (
    DEADLINE,
    PORTFOLIO,
    STEP,
    UNIVERSE,
    FeedPlay,
    Script,
    Told,
    close_at,
    price,
)

SCRIPT = Script(
    late=[
        Told("A", 4, 25.0, 4.0),  # after its deadline
        Told("B", 6, DEADLINE, 6.0),  # at its deadline
        Told("B", 9, 150.0, 9.0),  # when two more closes were published
    ],
    again=[
        Told("A", 5, 70.0, 55.0),  # corrected twice
        Told("A", 5, 130.0, 56.0),
        Told("B", 5, 10.0, 57.0),  # a second word before anybody needs another one
    ],
    outages=[(660.0, 840.0)],
)


def numbers(sections: list[ClosedBars]) -> list[int]:
    """Closes as minutes after the world's beginning."""
    return [(section.close_time - close_at(0)) // STEP for section in sections]


def assert_in_order(sections: list[ClosedBars], first: int) -> None:
    """Every close from the first on, once, each promising the next."""
    assert numbers(sections) == list(range(first, first + len(sections)))
    assert all(s.next_close == s.close_time + STEP for s in sections)
    assert all(s.open_time == s.close_time - STEP for s in sections)


def opens(play: FeedPlay, number: int) -> list[float]:
    """What was published of a close, NaN as None would stand."""
    section = next(s for s in play.published() if s.close_time == close_at(number))
    return [float(value) for value in section.open]


def events(play: FeedPlay, name: str) -> list[tuple[str, str]]:
    return [(str(f["symbol"]), str(f["close"])) for event, f in play.reports if event == name]


def test_the_warm_up_comes_first_and_then_each_close_in_its_time() -> None:
    play = FeedPlay(World(), Script(), start=1, warmup=3)
    sections = play.run(5.5)
    assert_in_order(sections, -2)
    assert numbers(sections)[-1] == 5
    assert [s.open.tolist() for s in sections] == [
        [price("A", n), price("B", n)] for n in numbers(sections)
    ]
    assert play.reports == []


def test_a_close_waits_for_its_deadline_and_then_goes_without_what_is_missing() -> None:
    play = FeedPlay(World(), Script(late=[Told("A", 2, 25.0, 7.0)]))
    newest = play.run(2.5, 2.3)[-1]
    assert numbers(play.looked[2.3])[-1] == 1
    assert (numbers([newest]), newest.late) == ([2], True)
    assert np.isnan(newest.close).tolist() == [True, False]
    assert [event for event, _ in play.reports] == ["candle missing"]


def test_a_candle_at_the_deadline_is_in_time() -> None:
    play = FeedPlay(World(), Script(late=[Told("A", 2, DEADLINE, 7.0)]))
    play.run(4.0)
    assert opens(play, 2) == [7.0, price("B", 2)]
    assert play.reports == []


def test_a_late_candle_is_reported_and_changes_nothing() -> None:
    play = FeedPlay(World(), Script(late=[Told("A", 2, 25.0, 7.0)]))
    sections = play.run(5.5, 2.38)
    assert_in_order(sections, -2)
    assert numbers(play.looked[2.38])[-1] == 2
    assert math.isnan(opens(play, 2)[0])
    assert events(play, "candle late") == events(play, "candle missing")
    assert play.unreported() == []


def test_a_corrected_candle_is_reported_with_both_words_and_changes_nothing() -> None:
    play = FeedPlay(World(), Script(again=[Told("A", 2, 70.0, 7.0)]))
    play.run(5.0)
    assert opens(play, 2)[0] == price("A", 2)
    told = [facts for event, facts in play.reports if event == "candle corrected"]
    assert [(f["was"][0], f["now"][0]) for f in told] == [(price("A", 2), 7.0)]


def test_pages_backwards_and_candles_twice_are_the_same_closes() -> None:
    plain, turned = FeedPlay(World(), Script()), FeedPlay(World(), Script(reverse=True))
    for play in (plain, turned):
        play.run(6.0)
    assert turned.world.trace() == plain.world.trace()
    assert turned.reports == []


def test_while_the_venue_is_away_closes_go_without_candles_and_each_is_reported_later() -> None:
    play = FeedPlay(World(), Script(outages=[(121.0, 400.0)]))
    sections = play.run(8.0, 4.5)
    assert numbers(play.looked[4.5])[-1] == 4
    assert_in_order(sections, -2)
    assert [n for n in range(1, 8) if math.isnan(opens(play, n)[0])] == [2, 3, 4, 5, 6]
    assert play.unreported() == []
    assert len(events(play, "candle late")) == 10


def test_closes_that_nobody_published_in_time_come_from_history_with_their_candles() -> None:
    """The owner sleeps for five minutes; whoever goes on fills what the lane does not have."""
    plans = [FaultPlan("market_data", "publish BARS", 7, Fate(pause_seconds=300.0))]
    play = FeedPlay(World(plans=plans), Script())
    sections = play.run(10.0)
    assert_in_order(sections, -2)
    assert numbers(sections)[-1] >= 9
    assert not any(np.isnan(section.close).any() for section in sections)
    assert play.reports == []


def test_a_restarted_lane_goes_on_at_the_promised_close_and_asks_only_for_what_it_misses() -> None:
    plans = [CrashPlan("market_data", "publish BARS", 7, "after")]
    play = FeedPlay(World(plans=plans), Script())
    sections = play.run(6.0)
    assert_in_order(sections, -2)
    assert play.world.crashes.total() == 1


def test_a_late_candle_of_a_close_before_the_restart_is_still_reported() -> None:
    """Told at 250 s, when the owner that published the close without it is gone."""
    plans = [CrashPlan("market_data", "publish BARS", 7, "after")]
    play = FeedPlay(World(plans=plans), Script(late=[Told("B", 2, 130.0, 7.0)]))
    play.run(7.0)
    assert play.world.crashes.total() == 1
    assert math.isnan(opens(play, 2)[1])
    assert len(events(play, "candle late")) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("occurrence", [1, 2, 11, 20, 21])
def test_a_backfill_that_is_cut_off_goes_on_where_it_was(when: When, occurrence: int) -> None:
    plans = [CrashPlan("market_data", "publish BARS", occurrence, when)]
    play = FeedPlay(World(plans=plans), Script(), warmup=20)
    assert_in_order(play.run(2.5), -19)
    assert play.world.crashes.total() == 1


@pytest.mark.parametrize("loss", ["request", "answer", "late"])
def test_a_publish_without_an_answer_is_stored_once(loss: Loss) -> None:
    plans = [FaultPlan("market_data", "publish BARS", 5, Fate(loss=loss))]
    play = FeedPlay(World(plans=plans), Script())
    assert_in_order(play.run(5.0), -2)


@cache
def effects() -> dict[str, int]:
    """How often a run without crashes meets each kind of effect."""
    play = FeedPlay(World(plans=[CrashPlan("nobody", "nothing", 1)]), SCRIPT)
    play.run(18.0)
    seen = play.world.effects.items()
    return {kind: count for (service, kind), count in seen if service == "market_data"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_effect_loses_no_close_and_no_report(
    when: When, say: Callable[[str], None]
) -> None:
    points = 0
    for kind, met in effects().items():
        for occurrence in sorted({1, 2, 3, met // 3, met // 2, met - 1} & set(range(1, met + 1))):
            play = FeedPlay(World(plans=[CrashPlan("market_data", kind, occurrence, when)]), SCRIPT)
            play.run(18.0)
            at = f"{kind} {occurrence}"
            assert_in_order(play.published(), -2)
            assert len(play.published()) == 20, at
            assert play.unreported() == [], at
            points += play.world.crashes.total()
    assert points >= 2 * len(effects())
    say(f"feed lane: crashed {when} {points} effects of {len(effects())} kinds, nothing lost")


@pytest.mark.parametrize("seed", range(8))
def test_a_storm_with_a_standby_and_skewed_clocks_loses_no_close_and_no_report(seed: int) -> None:
    play = FeedPlay(World(seed, Faults.stormy()), SCRIPT, instances=2)
    play.run(25.0)
    assert_in_order(play.published(), -2)
    assert numbers(play.published())[-1] >= 20
    assert play.unreported() == []


def test_ids_are_a_function_of_lane_and_close() -> None:
    play = FeedPlay(World(), Script())
    play.run(3.0)
    lane = bars_lane(PORTFOLIO, UNIVERSE)
    assert lane == "bars.live.1.coins.1M"
    ids = [stored.message.id for stored in play.world.bus.contents(lane)]
    closes = [section.close_time for section in play.published()]
    assert ids == [message_id(hop("bars").stream, lane, close) for close in closes]


def test_a_lane_of_other_symbols_is_refused_and_nothing_is_added() -> None:
    donor = FeedPlay(World(), Script())
    other = replace(donor.run(2.0)[-1], symbols=("A", "C"))
    play = FeedPlay(World(), Script())
    feed(play.world, bars_lane(PORTFOLIO, UNIVERSE), [encode_closed_bars(other)])
    with pytest.raises(ProcessFailed, match="must carry the symbols A, B; they are A, C") as failed:
        play.run(2.0)
    assert isinstance(failed.value.error, OtherSymbols)
    assert len(play.published()) == 1


def test_a_lane_that_nobody_reads_rests_and_misses_no_close_when_somebody_does_again() -> None:
    """The universe has another version from the fourth minute on; in the ninth somebody begins
    with this one.
    """
    world = World()
    play = FeedPlay(world, Script(), is_read=lambda lane: not 4.0 < world.now / 60.0 < 9.0)
    play.run(12.0, 8.0)
    assert numbers(play.looked[8.0])[-1] == 4
    assert_in_order(play.published(), -2)
    assert numbers(play.published())[-1] >= 11
