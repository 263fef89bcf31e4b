"""Live market data: closed candles of crypto venues, by REST and WebSocket, over ccxt.

```python
venue = await Venue.connect("kraken", clock, seed=7)
feed = CandleFeed(venue, "crypto", ["BTC-USD", "ETH-USD"], "4H")
async for closed in feed.closes(after=last_published_close):
    publish(closed.bars)  # ClosedBars; NaN where closed.missing says why
```

The clock is given (`UtcClock`); nothing here reads the machine's.
"""

from stratvector.market.live.answers import NoTurn, Refused, Throttled, Unreachable, VenueError
from stratvector.market.live.candles import Candle, ClosedCandles, Correction, Refusal
from stratvector.market.live.clock import UtcClock
from stratvector.market.live.feed import BadFeedTerms, CandleFeed, FeedTerms
from stratvector.market.live.source import CCXT, LiveSource, venue_of
from stratvector.market.live.state import FeedState, VenueState
from stratvector.market.live.symbols import UnknownPair
from stratvector.market.live.venue import Grid, NoSuchInterval, Venue
from stratvector.market.live.venues import UnknownVenue, venue_terms

__all__ = [
    "CCXT",
    "BadFeedTerms",
    "Candle",
    "CandleFeed",
    "ClosedCandles",
    "Correction",
    "FeedState",
    "FeedTerms",
    "Grid",
    "LiveSource",
    "NoSuchInterval",
    "NoTurn",
    "Refusal",
    "Refused",
    "Throttled",
    "UnknownPair",
    "UnknownVenue",
    "Unreachable",
    "UtcClock",
    "Venue",
    "VenueError",
    "VenueState",
    "venue_of",
    "venue_terms",
]
