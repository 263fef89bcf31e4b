"""Candles over the WebSocket, with REST for what it does not tell."""

import asyncio
from contextlib import aclosing

import pytest

from stratvector.market.live import CandleFeed, ClosedCandles, Venue, VenueState
from tests.exchange.faults import Fault, Kind
from tests.exchange.feed_runs import FOREVER, MIDNIGHT, SECOND, START
from tests.exchange.prices import candle
from tests.exchange.server import LoopbackExchange
from tests.exchange.shapes import MINUTE
from tests.exchange.virtual_clock import VirtualClock

SYMBOLS = ["BTC-USDT", "ETH-USDT"]


def watched(
    count: int, told_closes: int, rest_is_away: bool
) -> tuple[list[ClosedCandles], CandleFeed, LoopbackExchange]:
    """Closes of a feed whose streams are told for so long, and are then cut."""

    async def story() -> tuple[list[ClosedCandles], CandleFeed, LoopbackExchange]:
        clock = VirtualClock(START)
        exchange = await LoopbackExchange(clock.now).start()
        if rest_is_away:
            away = (Fault(Kind.OUTAGE, 0, FOREVER, symbol) for symbol in SYMBOLS)
            exchange.faults.extend(away)
        state, streams = VenueState("binance"), exchange.streams
        venue = await Venue.connect("binance", clock, 7, exchange.urls("binance"), state)
        feed = CandleFeed(venue, "crypto", SYMBOLS, "1M", watch=True)

        async def tell() -> None:
            for n in range(1, told_closes + 1):
                for second in (0, 1):
                    await clock.sleep((MIDNIGHT + n * MINUTE - clock.now()) / SECOND + second)
                    await streams.tell()
            await streams.drop()

        async def work() -> list[ClosedCandles]:
            teller = asyncio.ensure_future(tell())
            given = []
            async with aclosing(feed.closes(MIDNIGHT)) as closes:
                async for closed in closes:
                    given.append(closed)
                    if len(given) == count:
                        break
            await teller
            return given

        def busy() -> bool:
            following = streams.subscriptions == len(SYMBOLS) or streams.told > 0
            heard = feed.state.watched_answers == streams.told
            return state.in_flight != exchange.hanging or not following or not heard

        try:
            return await clock.run(work(), busy), feed, exchange
        finally:
            await venue.close()
            await exchange.close()

    return asyncio.run(story())


def assert_final(closed: ClosedCandles) -> None:
    for place, symbol in enumerate(SYMBOLS):
        close_time = closed.bars.close_time
        row = candle(symbol, close_time - MINUTE, MINUTE, close_time)
        told = [float(getattr(closed.bars, name)[place]) for name in ("open", "close", "volume")]
        assert told == [row.open, row.close, row.volume]


def test_closes_are_whole_by_the_stream_alone_while_rest_is_away() -> None:
    closes, feed, exchange = watched(4, 4, rest_is_away=True)
    for n, closed in enumerate(closes, start=1):
        assert closed.bars.close_time == MIDNIGHT + n * MINUTE
        assert not closed.missing
        assert closed.given_at == closed.bars.close_time + 2 * SECOND
        assert_final(closed)
    assert feed.state.watched_answers == exchange.streams.told == 2 * 2 * 4


def test_rest_gives_what_a_stream_that_broke_does_not_tell() -> None:
    closes, _, exchange = watched(6, 2, rest_is_away=False)
    for closed in closes:
        assert not closed.missing
        assert_final(closed)
    asked = [r for r in exchange.requests if r.path.endswith("klines")]
    assert {r.time // MINUTE * MINUTE for r in asked} == {
        MIDNIGHT + n * MINUTE for n in range(3, 7)
    }


@pytest.mark.parametrize("venue", ["coinbase"])
def test_a_venue_without_such_a_stream_is_read_by_rest(venue: str) -> None:
    async def story() -> ClosedCandles:
        clock = VirtualClock(START)
        exchange = await LoopbackExchange(clock.now).start()
        state = VenueState(venue)

        async def work() -> ClosedCandles:
            one = await Venue.connect(venue, clock, 7, exchange.urls(venue), state)
            try:
                feed = CandleFeed(one, "crypto", ["BTC-USD"], "1M", watch=True)
                async with aclosing(feed.closes(MIDNIGHT)) as closes:
                    return await anext(closes)
            finally:
                await one.close()

        try:
            return await clock.run(work(), lambda: state.in_flight != exchange.hanging)
        finally:
            await exchange.close()

    assert not asyncio.run(story()).missing
