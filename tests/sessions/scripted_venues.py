"""Venues in the simulated world: what they tell is a script, and they know certain symbols."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from stratvector.market.live import LiveSource, VenueState
from stratvector.runtime.run_clock import RunClock
from stratvector.services.market_data.universe_watch import CantSay
from stratvector.services.market_data.venues import CHECK_SECONDS, FeedUnavailable
from tests.sessions.scripted_feed import POLL, Script, ScriptedFeed


class ScriptedVenues:
    """Speaks `Venues`: a venue is connected when it answers, and left by the last feed.

    scripts : by universe, each of which has a venue of its own; the others are punctual. known :
    every symbol that there is. venue_now : their own clock, UTC ns.
    """

    def __init__(
        self,
        scripts: Mapping[str, Script],
        known: str,
        clock: RunClock,
        venue_now: Callable[[], int],
    ) -> None:
        self._scripts, self._known = scripts, known
        self._clock, self._venue_now = clock, venue_now
        self._feeds = Counter[str]()
        self._connected = set[str]()

    def states(self) -> list[VenueState]:
        """Nothing is counted."""
        return []

    def trouble(self) -> str:
        """Which are waited for."""
        return "; ".join(sorted(+self._feeds - Counter(self._connected)))

    @asynccontextmanager
    async def feed(self, source: LiveSource) -> AsyncIterator[ScriptedFeed]:
        """As `Venues.feed`. Raises FeedUnavailable."""
        venue, script = source.venue, self._scripts.get(source.universe, Script())
        self._feeds[venue] += 1
        try:
            while venue not in self._connected and script.is_away(self._venue_now()):
                await self._clock.sleep(POLL)
            self._connected.add(venue)
            if unknown := [symbol for symbol in source.symbols if symbol not in self._known]:
                raise FeedUnavailable(f"universe {source.universe}: no {', '.join(unknown)}")
            yield ScriptedFeed(script, source, self._clock, self._venue_now)
        finally:
            self._feeds[venue] -= 1
            if not self._feeds[venue]:
                self._connected.discard(venue)

    async def check(self, source: LiveSource) -> None:
        """As `Venues.check`. Raises FeedUnavailable, CantSay."""
        script, waited = self._scripts.get(source.universe, Script()), 0.0
        while source.venue not in self._connected and script.is_away(self._venue_now()):
            if waited >= CHECK_SECONDS:
                raise CantSay(f"universe {source.universe}: {source.venue} is away")
            await self._clock.sleep(POLL)
            waited += POLL
        async with self.feed(source):
            pass
