"""The live feed of one universe: its warm-up, then one message per close, shared by every live,
paper and shadow portfolio.

    lane's newest close ─▶ closes missed since, from the venue's history ─▶ close after close

What is published is adopted and never computed again: what the venue says otherwise afterwards is
reported and changes nothing.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from stratvector.contracts.codecs import decode_closed_bars, encode_closed_bars
from stratvector.market.live import ClosedCandles, LiveSource
from stratvector.market.timeframes import timeframe
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.unfit_messages import OtherSymbols
from stratvector.services.market_data.feed_reports import FeedReports
from stratvector.trading.bars import ClosedBars
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import bars_lane
from stratvector.trading.meaning.bars import check_bars, check_bars_of
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.unfit import Absurd

# So many of the newest closes does a new owner hold against what the venue says now: a late candle
# of a close before them is not reported again. Each costs one request when the lane is taken.
RECALLED_CLOSES = 64
UNREAD_SECONDS = 1.0  # between two looks whether anybody reads the lane


class Closes(Protocol):
    """Closes as they come; `aclose` ends what listens for them."""

    def __aiter__(self) -> AsyncIterator[ClosedCandles]: ...

    async def aclose(self) -> None: ...


class Feed(Protocol):
    """Speaks `CandleFeed`."""

    def closes(self, after: int, given: Iterable[ClosedBars] = ()) -> Closes:
        """Each close later than `after` (UTC ns), once, in order, for ever. given : the newest
        closes that were published before.
        """


OpenFeed = Callable[[], AbstractAsyncContextManager[Feed]]


class FeedLane:
    """Publishes the closes of one universe as its venue tells them.

    open_feed : connects, once the lane is owned. start : the first close that may trade, ns UTC;
    as many closes before it as the source says warm the models up, where the lane is empty.
    reports : who is told what came late, was corrected or refused. is_read : whether any portfolio
    reads a lane; as long as none does, the venue is left alone.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        universe: Universe,
        source: LiveSource,
        start: int,
        open_feed: OpenFeed,
        reports: FeedReports,
        is_read: Callable[[str], bool] = lambda lane: True,
    ) -> None:
        self._is_read, self._clock = is_read, ports.clock
        self._universe, self._source = universe, source
        self._step = timeframe(universe.timeframe).nanoseconds
        self._before_warmup = self._last_before(start) - source.warmup_closes * self._step
        self._open_feed, self._reports = open_feed, reports
        self.lane = Lane(ports, bars_lane(portfolio, universe))

    async def run(self) -> None:
        """Own the lane, adopt its newest closes, publish every later one; it ends never.

        Raises OtherSymbols, Absurd, and what connecting raises.
        """
        await self.lane.acquire()
        recalled = deque(await self._recalled(), RECALLED_CLOSES)
        while True:
            while not self._is_read(self.lane.subject):
                await self._clock.sleep(UNREAD_SECONDS)
            await self._follow(recalled)

    async def _follow(self, recalled: deque[ClosedBars]) -> None:
        """Publish closes as long as anybody reads them. recalled : the newest of the lane."""
        after = recalled[-1].close_time if recalled else self._before_warmup
        async with (
            self._open_feed() as feed,
            aclosing(feed.closes(after, list(recalled))) as closes,
        ):
            async for closed in closes:
                # First: what is told twice, after a crash between the two, is told.
                self._reports.take(closed)
                await self._publish(closed.bars)
                recalled.append(closed.bars)
                if not self._is_read(self.lane.subject):
                    return

    async def _recalled(self) -> list[ClosedBars]:
        """The newest closes that the lane holds. Raises OtherSymbols, Absurd."""
        recalled: list[ClosedBars] = []
        newest, promised = 0, None
        for stored in await self.lane.newest(RECALLED_CLOSES):
            section = decode_closed_bars(stored.message.payload)
            if section.symbols != self._universe.symbols:
                raise OtherSymbols(self.lane.subject, self._universe.symbols, section.symbols)
            check_bars_of(section, self._universe, newest, promised)
            newest, promised = section.close_time, section.next_close
            recalled.append(section)
        if recalled and promised != newest + self._step:
            raise Absurd(
                f"next_close is {promised} ns after {newest}; a feed of {self._universe.timeframe} "
                f"promises {newest + self._step}"
            )
        return recalled

    async def _publish(self, section: ClosedBars) -> None:
        """What every reader would refuse is not published: this lane says why. Raises Absurd."""
        check_bars(section)
        close_time = section.close_time
        identity = message_id(hop("bars").stream, self.lane.subject, close_time)
        await self.lane.publish(identity, encode_closed_bars(section), close_time)

    def _last_before(self, start: int) -> int:
        return (start - 1) // self._step * self._step
