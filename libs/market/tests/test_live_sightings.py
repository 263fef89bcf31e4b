"""The newest word on a candle counts until its close is given, and is a report after it."""

import pytest

from stratvector.market.live import Candle, FeedState
from stratvector.market.live.sightings import Sightings
from stratvector.market.live.venue import Page, Row
from stratvector.market.timeframes import timeframe
from tests.exchange.feed_runs import MIDNIGHT, SECOND
from tests.exchange.shapes import MINUTE

FIRST = MIDNIGHT + MINUTE


@pytest.fixture
def seen() -> Sightings:
    return Sightings(["A"], timeframe("1M"), FIRST, recheck_closes=2, kept_max=3, state=FeedState())


def page(*closes: float, first: int = 0) -> Page:
    """Candles from the `first` minute on that closed at these prices."""
    rows: list[Row] = [
        [(MIDNIGHT + n * MINUTE) // 1_000_000, 5.0, 9.0, min(1.0, close), close, 2.0]
        for n, close in enumerate(closes, start=first)
    ]
    return Page(rows, MIDNIGHT + 1_000 * MINUTE)


def given_close(seen: Sightings, close_time: int = FIRST) -> float | None:
    candle = seen.give(close_time)["A"]
    return None if candle is None else candle.close


def test_the_newest_word_before_the_close_is_given_stands(seen: Sightings) -> None:
    seen.take("A", page(6.0), FIRST)
    seen.take("A", page(7.0), FIRST + SECOND)
    assert given_close(seen) == 7.0
    assert seen.reports() == ((), ())


def test_a_candle_that_the_venue_spoils_before_it_is_given_is_missing(seen: Sightings) -> None:
    seen.take("A", page(6.0), FIRST)
    seen.take("A", page(-6.0), FIRST + SECOND)
    assert not seen.holds("A", FIRST)
    assert given_close(seen) is None
    assert [refusal.seen_at for refusal in seen.reports()[0]] == [FIRST + SECOND]


def test_each_new_word_after_it_is_reported_once_beside_the_word_before(seen: Sightings) -> None:
    seen.take("A", page(6.0), FIRST)
    seen.give(FIRST)
    for close in (6.0, 7.0, 7.0, 6.0):
        seen.take("A", page(close), FIRST + MINUTE)
    told = seen.reports()[1]
    assert [(c.old.close if c.old else None, c.new.close) for c in told] == [(6.0, 7.0), (7.0, 6.0)]
    assert seen.reports() == ((), ())


def test_a_close_older_than_what_is_compared_is_passed_over(seen: Sightings) -> None:
    for n in range(6):
        seen.take("A", page(*[6.0] * (n + 1)), FIRST + n * MINUTE)
        seen.give(FIRST + n * MINUTE)
    seen.take("A", page(8.0, 6.0, 6.0, 6.0, 8.0), FIRST + 7 * MINUTE)
    assert [c.close_time for c in seen.reports()[1]] == [FIRST + 4 * MINUTE]


def test_closes_given_without_a_candle_are_remembered_up_to_a_page(seen: Sightings) -> None:
    for n in range(5):
        seen.give(FIRST + n * MINUTE)
    assert seen.recheck_from("A", FIRST + 5 * MINUTE) == FIRST + 2 * MINUTE
    seen.take("A", page(6.0, 6.0, 6.0, 6.0, 6.0), FIRST + 5 * MINUTE)
    assert [(c.close_time, c.old) for c in seen.reports()[1]] == [
        (FIRST + n * MINUTE, None) for n in (2, 3, 4)
    ]


def test_a_candle_has_its_close_time_and_all_five_values(seen: Sightings) -> None:
    seen.take("A", page(6.0), FIRST)
    assert seen.give(FIRST)["A"] == Candle(FIRST, 5.0, 9.0, 1.0, 6.0, 2.0)
