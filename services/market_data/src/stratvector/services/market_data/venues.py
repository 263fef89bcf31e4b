"""The venues that the feeds of this process ask: each is connected once, whoever needs it first,
and left by the last.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stratvector.market.live import (
    BadFeedTerms,
    CandleFeed,
    LiveSource,
    NoSuchInterval,
    Refused,
    UnknownPair,
    UnknownVenue,
    Venue,
    VenueState,
)
from stratvector.market.live.venue import REQUEST_SECONDS
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.run_clock import RunClock
from stratvector.services.market_data.universe_watch import CantSay
from stratvector.trading.portfolio import Universe

Key = tuple[str, str]
# Less than risk waits for a word on a change.
CHECK_SECONDS = 10.0


class FeedUnavailable(CannotStart):
    """A live source that no waiting makes good; the sentence says why."""


class _Seat:
    """One venue's connection, and how many feeds stand on it."""

    def __init__(self, state: VenueState) -> None:
        self.state, self.lock = state, asyncio.Lock()
        self.venue: Venue | None = None
        self.feeds = 0


class Venues:
    """Connections by venue. clock : of the run. seed : of the retries' jitter."""

    def __init__(self, clock: RunClock, seed: int) -> None:
        self._clock, self._seed = clock, seed
        self._seats: dict[Key, _Seat] = {}

    def states(self) -> list[VenueState]:
        """What was asked of each so far."""
        return [seat.state for seat in self._seats.values()]

    def trouble(self) -> str:
        """Which venues are waited for, and why; empty when all that are needed are connected."""
        waited = [s.state for s in self._seats.values() if s.feeds and s.venue is None]
        told = [f"waiting for {one.venue}: {one.last_error}" for one in waited if one.last_error]
        return "; ".join(told)

    @asynccontextmanager
    async def feed(self, source: LiveSource) -> AsyncIterator[CandleFeed]:
        """A source's candles for the time of a block, as soon as its venue answers.

        Raises FeedUnavailable.
        """
        seat = self._seat(source)
        seat.feeds += 1
        try:
            venue = await self._connected(seat, source)
            yield _candles(venue, source)
        finally:
            seat.feeds -= 1
            if not seat.feeds and seat.venue is not None:
                leaving, seat.venue = seat.venue, None
                await leaving.close()

    async def check(self, source: LiveSource) -> None:
        """Whether its venue has what a source names. Raises FeedUnavailable, and CantSay where the
        venue does not answer.
        """
        await Venue.load()
        try:
            async with asyncio.timeout(CHECK_SECONDS), self.feed(source):
                pass  # connecting says what the venue does not have
        except TimeoutError:
            why = self._seat(source).state.last_error or "it does not answer"
            raise CantSay(f"universe {source.universe}: {source.venue}: {why}") from None

    def _seat(self, source: LiveSource) -> _Seat:
        key = source.venue, repr(source.urls)
        return self._seats.setdefault(key, _Seat(VenueState(source.venue)))

    async def _connected(self, seat: _Seat, source: LiveSource) -> Venue:
        async with seat.lock:
            if seat.venue is None:
                try:
                    seat.venue = await Venue.connect(
                        source.venue,
                        self._clock,
                        self._seed,
                        source.urls,
                        seat.state,
                        REQUEST_SECONDS * self._clock.rate,
                    )
                except (UnknownVenue, Refused) as error:
                    raise FeedUnavailable(f"universe {source.universe}: {error}") from None
            return seat.venue


def _candles(venue: Venue, source: LiveSource) -> CandleFeed:
    try:
        return CandleFeed(venue, source.universe, source.symbols, source.timeframe, source.terms)
    except (UnknownPair, NoSuchInterval, BadFeedTerms) as error:
        raise FeedUnavailable(f"universe {source.universe}: {error}") from None


def source_of(session: LoggedSession, universe: Universe) -> LiveSource:
    """Where the chapter says that a universe's candles come from.

    Raises OtherChapter, FeedUnavailable.
    """
    described = session.source(universe.name)
    try:
        source = LiveSource.from_document(described["load"] or {})
    except ValueError as error:
        raise FeedUnavailable(f"universe {universe.name}: {error}") from None
    if source.hash != session.chapter.bars_of(universe.name).hash:
        raise OtherChapter(
            f"the source of universe {universe.name} is not the one that the log began with"
        )
    if (source.symbols, source.timeframe) != (universe.symbols, universe.timeframe):
        raise OtherChapter(f"the source of universe {universe.name} has other symbols or timeframe")
    return source
