"""The live feed: the closed candles of a universe's symbols, close by close, each given once.

A close that is due is asked for until all its candles are there, or its deadline is past; then it
is given with what there is. Closes whose deadline was past before anybody asked (a warm-up, or a
restart) are read from history, page by page, however long the venue takes to answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stratvector.market.live.answers import Refused, Throttled, Unreachable, VenueError
from stratvector.market.live.budget import later
from stratvector.market.live.candles import Candle, ClosedCandles
from stratvector.market.live.clock import nanoseconds, sleep_until
from stratvector.market.live.sightings import Sightings
from stratvector.market.live.state import FeedState
from stratvector.market.live.venue import Venue
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND, utc_text


class BadFeedTerms(ValueError):
    """Waits that do not fit each other or the timeframe."""


@dataclass(frozen=True)
class FeedTerms:
    """How long a close is waited for, in seconds after it.

    settle : before the first question; venues write a closed candle within a second or two.
    deadline : of the last one. Twenty leave room for five retries, and for a venue of one request
    a second to be asked for twenty symbols; an hour's decision loses a half percent of its bar.
    The answer to the last question may take `venue.REQUEST_SECONDS` more.
    poll : between questions for a candle that is not there yet.
    recheck_closes : given closes that each first question covers again, for corrections; they
    cost no request. Kraken's volumes, for one, change for minutes.
    """

    settle_seconds: float = 2.0
    deadline_seconds: float = 20.0
    poll_seconds: float = 2.0
    recheck_closes: int = 5


class CandleFeed:
    """The closes of one universe at one venue. Its symbols share the venue's rate budget.

    Raises UnknownPair, NoSuchInterval, UnknownTimeframe and BadFeedTerms when it is made.
    """

    def __init__(
        self,
        venue: Venue,
        universe: str,
        symbols: Sequence[str],
        timeframe: str,
        terms: FeedTerms = FeedTerms(),
        watch: bool = False,
    ) -> None:
        """symbols : as the universe writes them ("BTC-USD"), in its order. timeframe : "4H".

        watch : also listen to the venue's WebSocket where it has one; REST then fills what that
        did not tell, and still looks for corrections every `recheck_closes` closes.
        """
        self.state = FeedState()
        self._venue, self._clock = venue, venue.clock
        self._universe, self._symbols, self._terms = universe, tuple(symbols), terms
        self._timeframe = parse_timeframe(timeframe)
        self._step = self._timeframe.nanoseconds
        _check(terms, self._timeframe.name, self._step)
        self._interval = venue.interval(self._timeframe)
        self._pairs = {symbol: venue.unified(symbol) for symbol in self._symbols}
        self._watch = watch and venue.watches
        self._failed: dict[str, str] = {}
        self._sightings: Sightings

    @staticmethod
    def check_terms(terms: FeedTerms, timeframe: str) -> None:
        """Raises BadFeedTerms, UnknownTimeframe."""
        parsed = parse_timeframe(timeframe)
        _check(terms, parsed.name, parsed.nanoseconds)

    async def closes(
        self, after: int, given: Iterable[ClosedBars] = ()
    ) -> AsyncGenerator[ClosedCandles, None]:
        """Each close of the grid later than `after` (UTC ns), in order, for ever.

        given : closes up to `after` that were given before a restart, the newest few or a page of
        them; what the venue now says otherwise of them is reported too.
        The next close is asked for when the one before is taken. One iterator at a time; `aclose`
        it to end what listens.
        """
        first = (after // self._step + 1) * self._step
        self._sightings = Sightings(
            self._symbols,
            self._timeframe,
            first,
            self._terms.recheck_closes,
            self._venue.page_closes - 1,
            self.state,
        )
        for bars in given:
            self._sightings.recall(bars)
        watchers = [asyncio.ensure_future(self._listen(s)) for s in self._symbols if self._watch]
        try:
            while True:
                for each in watchers:
                    if each.done():
                        each.result()
                for closed in await self._next_batch():
                    yield closed
        finally:
            for each in watchers:
                each.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _next_batch(self) -> list[ClosedCandles]:
        close = self._sightings.next_close
        await sleep_until(self._clock, close + nanoseconds(self._terms.settle_seconds))
        self._failed.clear()
        past = self._clock.now() - nanoseconds(self._terms.deadline_seconds)
        last = min(past // self._step, close // self._step + self._venue.page_closes - 1)
        if filled := last * self._step >= close:
            await self._all(lambda symbol: self._fill(symbol, close, last * self._step))
        else:
            await self._all(lambda symbol: self._poll(symbol, close))
        closes = range(close, max(close, last * self._step) + 1, self._step)
        return [self._given(each, filled) for each in closes]

    async def _all(self, ask: Callable[[str], Coroutine[None, None, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for symbol in self._symbols:
                group.create_task(ask(symbol))

    async def _poll(self, symbol: str, close: int) -> None:
        """Ask for one close until its candle is there; the last time at the deadline."""
        seen, waits = self._sightings, self._venue.waits()
        if seen.holds(symbol, close) and close // self._step % self._terms.recheck_closes:
            return
        deadline = close + nanoseconds(self._terms.deadline_seconds)
        start = self._first_asked(symbol, close)
        failed = False
        while True:
            self._venue.state.retries += failed
            try:
                await self._ask(symbol, start, close, deadline)
            except Refused:
                return
            except VenueError:
                failed, wait = True, waits.next()
            else:
                # Later questions are narrow: what an answer cut short left out heads the next.
                failed, wait, start = False, self._terms.poll_seconds, close
            if seen.holds(symbol, close) or self._clock.now() >= deadline:
                return
            await self._clock.sleep(later(self._clock.now(), wait, deadline))

    def _first_asked(self, symbol: str, close: int) -> int:
        oldest = close - (self._venue.page_closes - 1) * self._step
        return max(oldest, self._sightings.recheck_from(symbol, close))

    async def _fill(self, symbol: str, first: int, last: int) -> None:
        """Read first ≤ t ≤ last from history; a hole is asked for once more, from its start.

        A page that was cut short looks like one; the wait lets the venue get over it.
        """
        try:
            await self._read(symbol, first, last)
            if (hole := self._sightings.missing(symbol, first, last)) is not None:
                await self._clock.sleep(self._terms.poll_seconds)
                await self._read(symbol, hole, last)
        except Refused:
            pass  # `_ask` keeps the sentence: each close names it
        closes = range(first, last + 1, self._step)
        self.state.gaps_filled += sum(self._sightings.holds(symbol, close) for close in closes)

    async def _read(self, symbol: str, start: int, last: int) -> None:
        """Page by page, until the venue tells no more."""
        while start <= last:
            newest = await self._answered(symbol, start, last)
            if newest is None or newest < start:
                return
            start = newest + self._step

    async def _answered(self, symbol: str, start: int, last: int) -> int | None:
        """Ask until there is an answer: history does not run away. Raises Refused."""
        waits = self._venue.waits()
        while True:
            try:
                return await self._ask(symbol, start, last, None)
            except (Throttled, Unreachable):
                await self._clock.sleep(waits.next())
                self._venue.state.retries += 1

    async def _ask(self, symbol: str, start: int, last: int, until: int | None) -> int | None:
        """One question; the newest closed candle that it told. Raises the VenueErrors."""
        closes = (last - start) // self._step + 1
        opens = start - self._step
        try:
            page = await self._venue.page(self._pairs[symbol], self._interval, opens, closes, until)
        except VenueError as error:
            self._failed[symbol] = str(error)
            raise
        self._failed.pop(symbol, None)
        return self._sightings.take(symbol, page, self._clock.now())

    async def _listen(self, symbol: str) -> None:
        waits = self._venue.waits()
        while True:
            try:
                page = await self._venue.watch(self._pairs[symbol], self._interval)
            except Unreachable:
                await self._clock.sleep(waits.next())
                continue
            waits.reset()
            self._sightings.take(symbol, page, self._clock.now())
            self.state.watched_answers += 1

    def _given(self, close: int, filled: bool) -> ClosedCandles:
        missing = {
            symbol: self._why(symbol, close, filled)
            for symbol in self._symbols
            if not self._sightings.holds(symbol, close)
        }
        candles = self._sightings.give(close)
        refusals, corrections = self._sightings.reports()
        self.state.count(close, len(self._symbols), len(missing))
        return ClosedCandles(
            self._bars(close, candles, late=bool(missing) and not filled),
            missing,
            filled,
            refusals,
            corrections,
            self._clock.now(),
        )

    def _why(self, symbol: str, close: int, filled: bool) -> str:
        told = self._sightings.refused(symbol, close) or self._failed.get(symbol)
        if told is not None:
            return told
        where = "in its history" if filled else f"by {utc_text(self._clock.now())}"
        return f"{self._venue.name} told no candle of {symbol} at {utc_text(close)} {where}"

    def _bars(self, close: int, candles: Mapping[str, Candle | None], late: bool) -> ClosedBars:
        panel = {
            name: np.array([getattr(candles[s], name, np.nan) for s in self._symbols])
            for name in FIELDS
        }
        return ClosedBars(
            universe=self._universe,
            timeframe=self._timeframe.name,
            close_time=close,
            symbols=self._symbols,
            **panel,
            late=late,
            open_time=close - self._step,
            next_close=close + self._step,
        )


def _check(terms: FeedTerms, timeframe: str, step: int) -> None:
    """Raises BadFeedTerms."""
    length = step / NANOSECONDS_PER_SECOND
    if not 0 <= terms.settle_seconds < terms.deadline_seconds < length:
        raise BadFeedTerms(
            f"settle_seconds is {terms.settle_seconds:g} and deadline_seconds "
            f"{terms.deadline_seconds:g}, but 0 ≤ settle < deadline < the {length:g} seconds of "
            f"{timeframe}"
        )
    if not terms.poll_seconds > 0 or terms.recheck_closes < 1:
        raise BadFeedTerms(
            f"poll_seconds is {terms.poll_seconds:g} and recheck_closes {terms.recheck_closes}, "
            "but the one must be above 0 and the other at least 1"
        )
