"""A feed followed in virtual time against the loopback exchange."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from stratvector.market.live import CandleFeed, ClosedCandles, FeedTerms, Venue, VenueState
from stratvector.trading.bars import ClosedBars
from tests.exchange.faults import Fault
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.server import LoopbackExchange
from tests.exchange.shapes import HOUR, SHAPES
from tests.exchange.virtual_clock import VirtualClock

SECOND = NANOSECONDS_PER_SECOND
MIDNIGHT = 1_700_006_400 * SECOND
START = MIDNIGHT + 5 * SECOND
FOREVER = MIDNIGHT + 10_000 * HOUR


@dataclass
class Watched:
    """What a run of the feed gave, and what the exchange saw."""

    closes: list[ClosedCandles]
    venue: VenueState
    feed: CandleFeed
    exchange: LoopbackExchange

    def close_prices(self, symbol: str) -> list[float]:
        place = self.closes[0].bars.symbols.index(symbol)
        return [float(closed.bars.close[place]) for closed in self.closes]


def watch(
    count: int,
    faults: Sequence[Fault] = (),
    venue: str = "binance",
    timeframe: str = "1M",
    after: int = MIDNIGHT,
    symbols: Sequence[str] | None = None,
    terms: FeedTerms | None = None,
    given: Sequence[ClosedBars] = (),
    pause: Callable[[ClosedCandles], float] = lambda closed: 0.0,
) -> Watched:
    """Follow `count` closes after `after`, in virtual time. pause : seconds before the next."""

    async def taken(feed: CandleFeed, clock: VirtualClock) -> list[ClosedCandles]:
        told = []
        async with aclosing(feed.closes(after, given)) as closes:
            async for closed in closes:
                told.append(closed)
                if len(told) == count:
                    break
                await clock.sleep(pause(closed))
        return told

    async def follow() -> Watched:
        clock = VirtualClock(START)
        exchange = await LoopbackExchange(clock.now).start()
        exchange.faults.extend(faults)
        state = VenueState(venue)

        async def work() -> Watched:
            connected = await Venue.connect(venue, clock, 7, exchange.urls(venue), state)
            try:
                listed = symbols or list(SHAPES[venue].symbols.values())[:2]
                feed = CandleFeed(connected, "crypto", listed, timeframe, terms or FeedTerms())
                return Watched(await taken(feed, clock), state, feed, exchange)
            finally:
                await connected.close()

        try:
            return await clock.run(work(), lambda: state.in_flight != exchange.hanging)
        finally:
            await exchange.close()

    return asyncio.run(follow())
