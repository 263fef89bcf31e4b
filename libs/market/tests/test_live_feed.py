"""Live candles from the loopback exchange: each close once, whatever happens to the requests."""

import asyncio
import math
from itertools import pairwise

import numpy as np
import pytest

from stratvector.market.live import CandleFeed, ClosedCandles, Venue, VenueState
from tests.exchange.faults import Fault, Kind
from tests.exchange.feed_runs import FOREVER, MIDNIGHT, SECOND, START, watch
from tests.exchange.prices import Row
from tests.exchange.prices import candle as held_candle
from tests.exchange.server import LoopbackExchange
from tests.exchange.shapes import HOUR, MINUTE, SHAPES
from tests.exchange.virtual_clock import VirtualClock


def held(symbol: str, close_time: int, length: int = MINUTE) -> Row:
    return held_candle(symbol, close_time - length, length, close_time)


def assert_holds(closed: ClosedCandles, length: int = MINUTE) -> None:
    """Every candle that is there is the exchange's final one; every other is named."""
    bars = closed.bars
    for place, symbol in enumerate(bars.symbols):
        row = held(symbol, bars.close_time, length)
        if symbol in closed.missing:
            assert math.isnan(bars.close[place])
            assert math.isnan(bars.volume[place])
            continue
        told = [float(getattr(bars, name)[place]) for name in ("open", "high", "low", "close")]
        assert told == [row.open, row.high, row.low, row.close]
        assert bars.volume[place] == row.volume


def outage(start: float, end: float, kind: Kind = Kind.OUTAGE, symbol: str | None = None) -> Fault:
    """A fault of requests, in seconds after midnight."""
    first, last = (MIDNIGHT + round(each * SECOND) for each in (start, end))
    return Fault(kind, first, last, symbol)


@pytest.mark.parametrize("venue", list(SHAPES))
def test_each_close_is_given_once_with_the_final_candles_two_seconds_after_it(venue: str) -> None:
    watched = watch(5, venue=venue)
    assert [c.bars.close_time for c in watched.closes] == [
        MIDNIGHT + n * MINUTE for n in range(1, 6)
    ]
    for closed in watched.closes:
        assert_holds(closed)
        assert not closed.missing
        assert not closed.filled
        assert closed.given_at == closed.bars.close_time + 2 * SECOND
        assert closed.bars.next_close == closed.bars.close_time + MINUTE
        assert closed.bars.open_time == closed.bars.close_time - MINUTE
    assert watched.feed.state.closes == 5
    assert watched.feed.state.candles == 10
    assert watched.feed.state.corrections == 0


@pytest.mark.parametrize(("venue", "timeframe"), [("binance", "4H"), ("kraken", "4H")])
def test_two_days_of_four_hour_closes(venue: str, timeframe: str) -> None:
    watched = watch(12, venue=venue, timeframe=timeframe)
    for closed in watched.closes:
        assert_holds(closed, 4 * HOUR)
        assert not closed.missing
    assert watched.closes[-1].bars.close_time == MIDNIGHT + 2 * 24 * HOUR


def test_a_warm_up_is_read_page_by_page_and_the_live_closes_follow() -> None:
    watched = watch(2_505, after=MIDNIGHT - 2_500 * MINUTE)
    times = [closed.bars.close_time for closed in watched.closes]
    assert times == [MIDNIGHT - 2_500 * MINUTE + n * MINUTE for n in range(1, 2_506)]
    for closed in watched.closes:
        assert_holds(closed)
        assert not closed.missing
    # Midnight itself is live still: the feed began five seconds after it.
    assert [closed.filled for closed in watched.closes[-7:]] == [True] + [False] * 6
    pages = [r for r in watched.exchange.requests if r.path.endswith("klines")]
    assert len(pages) == 2 * (3 + 6)
    assert watched.feed.state.gaps_filled == 2 * 2_499


def test_what_a_venue_no_longer_keeps_is_missing_by_name_and_asked_for_no_more_than_twice() -> None:
    watched = watch(1_000, venue="kraken", after=MIDNIGHT - 1_000 * MINUTE)
    gone = [closed for closed in watched.closes if closed.missing]
    assert len(gone) == 1_000 - 719
    assert gone[0].missing["BTC-USD"].startswith("kraken told no candle of BTC-USD at ")
    assert all(closed.missing == {} for closed in watched.closes[281:])
    assert watched.venue.requests < 12


def test_an_outage_gives_closes_by_their_deadline_without_candles_and_tells_them_later() -> None:
    watched = watch(10, [outage(70, 290)])
    missing = [
        closed.bars.close_time // MINUTE - MIDNIGHT // MINUTE
        for closed in watched.closes
        if closed.missing
    ]
    assert missing == [2, 3, 4]
    for closed in watched.closes:
        assert_holds(closed)
        assert closed.given_at <= closed.bars.close_time + 20 * SECOND
    late = [c for closed in watched.closes for c in closed.corrections]
    assert {(c.symbol, c.close_time) for c in late} == {
        (symbol, MIDNIGHT + n * MINUTE) for symbol in ("BTC-USDT", "ETH-USDT") for n in (2, 3, 4)
    }
    for each in late:
        assert each.old is None
        assert each.new.close == held(each.symbol, each.close_time).close
    assert watched.feed.state.late_candles == 6
    assert "ExchangeNotAvailable" in watched.closes[1].missing["BTC-USDT"]
    assert watched.venue.retries > 0


def test_after_a_long_outage_every_candle_that_was_missing_is_told() -> None:
    watched = watch(14, [outage(70, 630)])
    missing = [closed.bars.close_time for closed in watched.closes if closed.missing]
    assert missing == [MIDNIGHT + n * MINUTE for n in range(2, 11)]
    late = {(c.symbol, c.close_time) for closed in watched.closes for c in closed.corrections}
    assert late == {(symbol, t) for symbol in ("BTC-USDT", "ETH-USDT") for t in missing}


def test_an_empty_page_of_history_is_asked_for_once_more_after_a_while() -> None:
    empty = Fault(Kind.PARTIAL, START, START + SECOND, rows=0)
    watched = watch(10, [empty], after=MIDNIGHT - 10 * MINUTE)
    assert all(not closed.missing for closed in watched.closes)


def test_what_others_behind_the_address_use_is_left_to_them() -> None:
    watched = watch(1, [Fault(Kind.CROWDED, 0, FOREVER, rows=6_000)], after=MIDNIGHT - 10 * MINUTE)
    first = next(r for r in watched.exchange.requests if r.path.endswith("klines"))
    # The list of markets weighed 20, a page weighs 2; 50 come back a second.
    assert first.time - START == 22 * SECOND // 50


def test_closes_that_passed_while_nobody_asked_are_filled_from_history() -> None:
    watched = watch(
        12, pause=lambda closed: 300.0 if closed.bars.close_time == MIDNIGHT + 3 * MINUTE else 0.0
    )
    assert [closed.filled for closed in watched.closes] == [False] * 3 + [True] * 4 + [False] * 5
    for closed in watched.closes:
        assert_holds(closed)
        assert not closed.missing
    assert watched.feed.state.gaps_filled == 8


def test_history_is_waited_for_through_an_outage() -> None:
    watched = watch(100, [outage(4, 3_000)], after=MIDNIGHT - 60 * MINUTE)
    for closed in watched.closes:
        assert_holds(closed)
        assert not closed.missing
    waits = [b.time - a.time for a, b in pairwise(watched.exchange.requests) if b.status == 0]
    assert max(waits) <= 30 * SECOND


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.BANNED])
@pytest.mark.parametrize("venue", list(SHAPES))
def test_no_request_comes_before_the_end_of_a_retry_after(venue: str, kind: Kind) -> None:
    watched = watch(8, [outage(61, 200, kind)], venue=venue)
    assert watched.exchange.too_early == []
    assert watched.venue.throttled == 2
    assert watched.venue.rate_limited_seconds == 200 - 62
    assert [bool(closed.missing) for closed in watched.closes] == [True, True, False] + [False] * 5
    assert watched.closes[2].given_at == MIDNIGHT + 200 * SECOND
    assert (
        "may not be asked in time" in watched.closes[1].missing[watched.closes[0].bars.symbols[0]]
    )
    for closed in watched.closes:
        assert_holds(closed)


def test_krakens_rate_error_without_a_time_is_waited_out_in_growing_steps() -> None:
    watched = watch(4, [outage(61, 130, Kind.RATE_ERROR)], venue="kraken")
    times = [r.time for r in watched.exchange.requests if r.time > MIDNIGHT + MINUTE]
    assert len([t for t in times if t < MIDNIGHT + 130 * SECOND]) < 8
    assert watched.venue.throttled >= 2
    assert not watched.closes[-1].missing


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.GARBAGE, Kind.HANG, Kind.OUTAGE])
@pytest.mark.parametrize("venue", list(SHAPES))
def test_a_short_trouble_is_retried_within_the_deadline(venue: str, kind: Kind) -> None:
    watched = watch(3, [outage(60, 64, kind)], venue=venue)
    assert all(not closed.missing for closed in watched.closes)
    assert_holds(watched.closes[0])
    assert watched.venue.unreachable >= 2
    assert watched.closes[0].given_at > MIDNIGHT + 64 * SECOND


@pytest.mark.parametrize("kind", [Kind.PARTIAL, Kind.REVERSED, Kind.TWICE])
@pytest.mark.parametrize("venue", list(SHAPES))
def test_pages_cut_short_turned_or_doubled_lose_nothing(venue: str, kind: Kind) -> None:
    watched = watch(60, [outage(0, 1e7, kind)], venue=venue, after=MIDNIGHT - 55 * MINUTE)
    for closed in watched.closes:
        assert_holds(closed)
        # Coinbase tells the newest first, so that its cut pages lack the head.
        assert not closed.missing or (venue, kind) == ("coinbase", Kind.PARTIAL)
        assert closed.corrections == ()
    assert (watched.feed.state.repeated_candles > 0) == (kind is Kind.TWICE)


def test_a_late_candle_is_waited_for_and_one_after_the_deadline_is_reported() -> None:
    soon = Fault(Kind.LATE, 0, MIDNIGHT + 70 * SECOND, "BTC-USDT", MIDNIGHT + MINUTE)
    never = Fault(Kind.LATE, 0, MIDNIGHT + 150 * SECOND, "ETH-USDT", MIDNIGHT + 2 * MINUTE)
    watched = watch(4, [soon, never])
    first, second, third, _ = watched.closes
    assert not first.missing
    assert first.given_at == MIDNIGHT + 70 * SECOND
    assert list(second.missing) == ["ETH-USDT"]
    assert second.bars.late
    assert second.given_at == MIDNIGHT + 140 * SECOND
    assert "told no candle of ETH-USDT" in second.missing["ETH-USDT"]
    assert [(c.symbol, c.close_time, c.old) for c in third.corrections] == [
        ("ETH-USDT", MIDNIGHT + 2 * MINUTE, None)
    ]


def test_a_correction_is_reported_once_with_both_candles_and_what_was_given_stays() -> None:
    at, close_time = MIDNIGHT + 130 * SECOND, MIDNIGHT + MINUTE
    watched = watch(5, [Fault(Kind.CORRECTED, at, FOREVER, "BTC-USDT", close_time, factor=1.01)])
    told = [c for closed in watched.closes for c in closed.corrections]
    assert len(told) == 1
    row = held("BTC-USDT", close_time)
    assert told[0].symbol == "BTC-USDT"
    assert told[0].close_time == close_time
    assert told[0].old is not None
    assert told[0].old.close == row.close
    assert told[0].new.close == row.scaled(1.01).close
    assert told[0].seen_at == MIDNIGHT + 3 * MINUTE + 2 * SECOND
    assert watched.close_prices("BTC-USDT")[0] == row.close
    assert watched.feed.state.corrections == 1


@pytest.mark.parametrize(
    ("field_name", "value", "sentence"),
    [
        ("low", "-1", "low is -1.0, but a price must be finite and above 0"),
        ("close", "0", "close is 0.0, but a price must be finite and above 0"),
        ("open", "nan", "open is nan, but a price must be finite and above 0"),
        ("close", "inf", "close is inf, but a price must be finite and above 0"),
        ("high", "1", "high must be at least low"),
        ("volume", "-3", "volume is -3.0, but it must be finite and at least 0"),
    ],
)
def test_a_bad_candle_is_refused_in_one_sentence_and_counts_as_missing(
    field_name: str, value: str, sentence: str
) -> None:
    close_time = MIDNIGHT + 2 * MINUTE
    bad = Fault(Kind.BAD, 0, FOREVER, "BTC-USDT", close_time, field=field_name, value=value)
    watched = watch(4, [bad])
    refusals = [r for closed in watched.closes for r in closed.refusals]
    assert [(r.symbol, r.close_time) for r in refusals] == [("BTC-USDT", close_time)]
    assert sentence in refusals[0].sentence
    assert refusals[0].sentence.startswith("BTC-USDT at 2023-11-15T00:02:00Z: ")
    assert watched.closes[1].missing == {"BTC-USDT": refusals[0].sentence}
    assert watched.feed.state.refusals == 1
    for closed in watched.closes:
        assert_holds(closed)


def test_a_candle_between_the_grids_opens_is_refused() -> None:
    watched = watch(2, [Fault(Kind.OFF_GRID, 0, FOREVER, "ETH-USDT", MIDNIGHT + MINUTE)])
    (refusal,) = watched.closes[0].refusals
    assert "the candle opens at 2023-11-15T00:00:01Z, but a candle of 1M opens" in refusal.sentence
    assert list(watched.closes[0].missing) == ["ETH-USDT"]


def test_a_bad_candle_that_the_venue_mends_in_time_is_given() -> None:
    until = MIDNIGHT + 66 * SECOND
    watched = watch(1, [Fault(Kind.BAD, 0, until, "BTC-USDT", MIDNIGHT + MINUTE)])
    assert not watched.closes[0].missing
    assert_holds(watched.closes[0])
    assert len(watched.closes[0].refusals) == 1


def test_a_venue_whose_clock_is_behind_gives_no_candle_that_is_still_open() -> None:
    async def follow() -> ClosedCandles:
        clock = VirtualClock(START)
        exchange = await LoopbackExchange(lambda: clock.now() - 7 * SECOND).start()
        state = VenueState("binance")

        async def work() -> ClosedCandles:
            venue = await Venue.connect("binance", clock, 7, exchange.urls("binance"), state)
            closes = CandleFeed(venue, "crypto", ["BTC-USDT"], "1M").closes(MIDNIGHT)
            closed = await anext(closes)
            await closes.aclose()
            await venue.close()
            return closed

        try:
            return await clock.run(work(), lambda: state.in_flight != exchange.hanging)
        finally:
            await exchange.close()
            assert state.venue_ahead_seconds == -7.0

    closed = asyncio.run(follow())
    assert_holds(closed)
    assert closed.given_at == MIDNIGHT + 68 * SECOND


def test_the_weight_that_binance_counts_stays_within_its_limit() -> None:
    watched = watch(30, [outage(100, 1_000)], after=MIDNIGHT - 5_000 * MINUTE, timeframe="1M")
    assert watched.exchange.weight_used < 6_000
    assert np.isfinite(watched.close_prices("BTC-USDT")[0])


def test_what_the_venue_says_otherwise_of_closes_before_a_restart_is_reported() -> None:
    lost = Fault(Kind.LATE, 0, MIDNIGHT + 180 * SECOND, "ETH-USDT", MIDNIGHT + MINUTE)
    at = MIDNIGHT + 200 * SECOND
    changed = Fault(Kind.CORRECTED, at, FOREVER, "BTC-USDT", MIDNIGHT + 2 * MINUTE, factor=0.99)
    before = [closed.bars for closed in watch(2, [lost, changed]).closes]
    watched = watch(3, [lost, changed], after=MIDNIGHT + 2 * MINUTE, given=before)
    told = [c for closed in watched.closes for c in closed.corrections]
    assert [(c.symbol, c.close_time, c.old is None) for c in told] == [
        ("ETH-USDT", MIDNIGHT + MINUTE, True),
        ("BTC-USDT", MIDNIGHT + 2 * MINUTE, False),
    ]


def test_history_that_the_venue_refuses_is_missing_by_its_word_and_asked_for_once() -> None:
    watched = watch(12, [outage(0, 1e7, Kind.REFUSED, "BTC-USDT")], after=MIDNIGHT - 10 * MINUTE)
    assert all("Invalid symbol" in closed.missing["BTC-USDT"] for closed in watched.closes)
    assert all(list(closed.missing) == ["BTC-USDT"] for closed in watched.closes)
    # Once for the history, and once for each close after it.
    assert watched.venue.refused == 1 + 3


def test_json_of_another_shape_is_no_answer() -> None:
    watched = watch(2, [outage(60, 64, Kind.ODD)])
    assert all(not closed.missing for closed in watched.closes)
    assert watched.venue.unreachable >= 2
