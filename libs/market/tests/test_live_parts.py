"""The live feed's parts: budget, waits, symbols, terms, and what an answer's head means."""

import asyncio
from random import Random

import pytest

from stratvector.market.live import (
    BadFeedTerms,
    CandleFeed,
    FeedTerms,
    NoSuchInterval,
    Refused,
    UnknownPair,
    UnknownVenue,
    Venue,
    VenueState,
    venue_terms,
)
from stratvector.market.live.answers import Answer
from stratvector.market.live.budget import Allowance, Budget, Waits
from stratvector.market.live.symbols import unified
from tests.exchange.faults import Fault, Kind
from tests.exchange.feed_runs import MIDNIGHT, SECOND, START, watch
from tests.exchange.server import LoopbackExchange
from tests.exchange.virtual_clock import VirtualClock


def sent_at(allowance: Allowance, costs: list[float], until: float | None = None) -> list[float]:
    """Seconds at which requests that are all asked for at once go out; −1 = not in time."""
    clock = VirtualClock(START)
    budget = Budget(allowance, clock, VenueState("binance"))

    async def send(cost: float) -> float:
        latest = None if until is None else START + round(until * SECOND)
        taken = await budget.take(cost, latest)
        return (clock.now() - START) / SECOND if taken else -1.0

    async def all_of_them() -> list[float]:
        return list(await asyncio.gather(*map(send, costs)))

    return asyncio.run(clock.run(all_of_them(), lambda: False))


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate_in_order() -> None:
    assert sent_at(Allowance(3.0, 2.0), [1.0] * 6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]
    assert sent_at(Allowance(2.0, 1.0), [2.0, 2.0, 1.0]) == [0.0, 2.0, 3.0]


def test_a_request_that_would_come_too_late_takes_no_token_from_the_next() -> None:
    assert sent_at(Allowance(1.0, 1.0), [1.0, 5.0, 1.0], until=2.0) == [0.0, -1.0, 1.0]


def test_an_embargo_holds_all_and_is_counted_once_where_two_overlap() -> None:
    clock, state = VirtualClock(START), VenueState("binance")
    budget = Budget(Allowance(5.0, 1.0), clock, state)

    async def send() -> float:
        assert await budget.take(1.0, None)
        return (clock.now() - START) / SECOND

    budget.close_for(30.0)
    budget.close_for(10.0)
    budget.close_for(40.0)
    assert asyncio.run(clock.run(send(), lambda: False)) == 40.0
    assert state.rate_limited_seconds == 40.0


def test_an_embargo_that_comes_while_a_request_queues_holds_it_too() -> None:
    clock = VirtualClock(START)
    budget = Budget(Allowance(1.0, 1.0), clock, VenueState("binance"))

    async def send(until: int | None) -> float:
        return (clock.now() - START) / SECOND if await budget.take(1.0, until) else -1.0

    async def story() -> list[float]:
        await budget.take(1.0, None)
        queued = asyncio.gather(send(None), send(START + 5 * SECOND))
        await asyncio.sleep(0)
        budget.close_for(20.0)
        return list(await queued)

    assert asyncio.run(clock.run(story(), lambda: False)) == [20.0, -1.0]


def test_what_the_venue_counts_itself_lowers_the_budget_and_never_raises_it() -> None:
    clock = VirtualClock(START)
    budget = Budget(Allowance(10.0, 1.0), clock, VenueState("binance"))

    async def send() -> float:
        budget.told_left(2.0)
        budget.told_left(500.0)
        await budget.take(5.0, None)
        return (clock.now() - START) / SECOND

    assert asyncio.run(clock.run(send(), lambda: False)) == 3.0


def test_waits_double_to_their_bound_within_the_jitter_and_a_seed_repeats_them() -> None:
    waits = Waits(Random(3), first=0.5, longest=8.0)
    told = [waits.next() for _ in range(8)]
    tops = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert all(0.5 * top <= wait <= top for wait, top in zip(told, tops, strict=True))
    again = Waits(Random(3), first=0.5, longest=8.0)
    assert [again.next() for _ in range(8)] == told
    waits.reset()
    assert waits.next() <= 0.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        (
            {
                "retry-after": "Wed, 15 Nov 2023 00:01:00 GMT",
                "date": "Wed, 15 Nov 2023 00:00:15 GMT",
            },
            45.0,
        ),
        ({"retry-after": "Wed, 15 Nov 2023 00:01:00 GMT"}, 55.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert Answer(429, headers).retry_after_seconds(START) == seconds


KNOWN = ["BTC/USDT", "ETH/USDT", "BTC/EUR", "BCH/USD"]


def test_symbols_are_the_venues_pairs_with_another_sign_between() -> None:
    assert unified("binance", "BTC-USDT", KNOWN) == "BTC/USDT"
    assert unified("binance", "btc/usdt", KNOWN) == "BTC/USDT"


@pytest.mark.parametrize(
    ("symbol", "sentence"),
    [
        ("BTC-USD", "binance trades no 'BTC-USD': the nearest that it knows is BTC-USDT"),
        ("ETC-USDT", "binance trades no 'ETC-USDT': the nearest that it knows is ETH-USDT"),
        ("XYZW", "binance trades no 'XYZW': it knows none like it"),
    ],
)
def test_an_unknown_symbol_is_refused_with_the_nearest_known(symbol: str, sentence: str) -> None:
    with pytest.raises(UnknownPair) as refused:
        unified("binance", symbol, KNOWN)
    assert str(refused.value) == sentence


def test_an_unknown_venue_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownVenue, match="'bitmex' is unknown: use binance, kraken, coinbase"):
        venue_terms("bitmex")


def connected(venue: str, faults: list[Fault], then: str) -> VenueState:
    """Connect; `then` is done with the venue."""

    async def story() -> VenueState:
        clock = VirtualClock(START)
        exchange = await LoopbackExchange(clock.now).start()
        exchange.faults.extend(faults)
        state = VenueState(venue)

        async def work() -> VenueState:
            one = await Venue.connect(venue, clock, 7, exchange.urls(venue), state)
            try:
                if then != "nothing":
                    CandleFeed(one, "crypto", ["BTC-USD"], then)
            finally:
                await one.close()
            state.last_answer_at = clock.now()
            return state

        try:
            return await clock.run(work(), lambda: state.in_flight != exchange.hanging)
        finally:
            await exchange.close()

    return asyncio.run(story())


@pytest.mark.parametrize("kind", [Kind.OUTAGE, Kind.GARBAGE, Kind.THROTTLED])
def test_connecting_waits_for_a_venue_that_is_away(kind: Kind) -> None:
    state = connected("kraken", [Fault(kind, 0, START + 100 * SECOND)], "nothing")
    assert state.retries > 0
    assert 100 * SECOND <= state.last_answer_at - START <= 132 * SECOND


def test_a_timeframe_that_the_venue_has_not_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(NoSuchInterval) as refused:
        connected("coinbase", [], "4H")
    assert str(refused.value) == (
        "coinbase has no candles of 4H: it has 1M, 5M, 15M, 30M, 1H, 2H, 6H, 1D"
    )


def test_a_pair_that_the_venue_refuses_is_missing_at_once_and_not_asked_for_again() -> None:
    unknown = Fault(Kind.REFUSED, 0, MIDNIGHT + 90 * SECOND, "BTC-USDT")
    watched = watch(3, [unknown])
    assert list(watched.closes[0].missing) == ["BTC-USDT"]
    assert "Invalid symbol" in watched.closes[0].missing["BTC-USDT"]
    assert watched.closes[0].given_at == MIDNIGHT + 62 * SECOND
    assert watched.venue.refused == 1
    assert not watched.closes[1].missing
    late = [c for closed in watched.closes for c in closed.corrections]
    assert [(c.symbol, c.close_time) for c in late] == [("BTC-USDT", MIDNIGHT + 60 * SECOND)]


def test_a_venue_that_refuses_this_address_ends_the_connecting() -> None:
    with pytest.raises(Refused):
        connected("binance", [Fault(Kind.REFUSED, 0, START + 100 * SECOND)], "nothing")


@pytest.mark.parametrize(
    "terms",
    [
        FeedTerms(settle_seconds=-1.0),
        FeedTerms(settle_seconds=20.0),
        FeedTerms(deadline_seconds=60.0),
        FeedTerms(deadline_seconds=float("nan")),
        FeedTerms(poll_seconds=0.0),
        FeedTerms(recheck_closes=0),
    ],
)
def test_waits_that_do_not_fit_the_timeframe_are_refused(terms: FeedTerms) -> None:
    with pytest.raises(BadFeedTerms, match=r"but (0 ≤ settle < deadline < the 60|the one must)"):
        watch(1, terms=terms)
