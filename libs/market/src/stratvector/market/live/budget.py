"""A venue's rate budget: tokens shared by all symbols, and the times when it may not be asked."""

from dataclasses import dataclass
from random import Random

from stratvector.market.live.clock import UtcClock, nanoseconds, seconds_between, sleep_until
from stratvector.market.live.state import VenueState
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND


@dataclass(frozen=True)
class Allowance:
    """What a venue lets one address ask. burst : tokens at rest. per_second : their return."""

    burst: float
    per_second: float


class Budget:
    """Tokens that come back with time. A request takes its cost before it is sent, in order."""

    def __init__(self, allowance: Allowance, clock: UtcClock, state: VenueState) -> None:
        self._allowance, self._clock, self._state = allowance, clock, state
        self._tokens, self._counted_at = allowance.burst, clock.now()
        self._closed_until = 0

    async def take(self, cost: float, until: int | None) -> bool:
        """Wait for `cost` tokens and for the end of any embargo.

        until : give up at once, taking nothing, where that would last longer (UTC ns).
        """
        self._refill()
        short = cost - self._tokens
        ready = self._clock.now() + nanoseconds(max(0.0, short) / self._allowance.per_second)
        if until is not None and max(ready, self._closed_until) > until:
            return False
        # Taken before the wait, so that the next one to ask queues behind this one.
        self._tokens -= cost
        await sleep_until(self._clock, ready)
        while self._clock.now() < self._closed_until:
            if until is not None and self._closed_until > until:
                self._tokens += cost
                return False
            await sleep_until(self._clock, self._closed_until)
        return True

    def close_for(self, seconds: float) -> None:
        """No request for so long from now; an earlier embargo is never cut short."""
        now = self._clock.now()
        until = now + nanoseconds(seconds)
        added = seconds_between(max(now, self._closed_until), until)
        self._closed_until = max(self._closed_until, until)
        self._state.rate_limited_seconds += added

    def told_left(self, tokens: float) -> None:
        """The venue's own count of what is left; others behind the same address take from it."""
        self._refill()
        self._tokens = min(self._tokens, tokens)

    def _refill(self) -> None:
        now = self._clock.now()
        # A clock that was set back returns nothing, and takes nothing.
        passed = seconds_between(self._counted_at, now)
        self._tokens = min(
            self._allowance.burst, self._tokens + passed * self._allowance.per_second
        )
        self._counted_at = now


class Waits:
    """Bounded exponential waits with jitter, for one chain of retries.

    Each wait lies in the upper half of first × 2ⁿ ≤ longest, so that many do not come at once.
    """

    def __init__(self, jitter: Random, first: float = 0.5, longest: float = 30.0) -> None:
        self._jitter, self._first, self._longest = jitter, first, longest
        self._next = first

    def next(self) -> float:
        """Seconds to wait before the next try."""
        wait = self._next * self._jitter.uniform(0.5, 1.0)
        self._next = min(self._longest, 2.0 * self._next)
        return wait

    def reset(self) -> None:
        """An answer came: begin anew."""
        self._next = self._first


def later(now: int, seconds: float, latest: int) -> float:
    """`seconds`, cut so that now (UTC ns) plus them is not after `latest`."""
    return min(seconds, max(0, latest - now) / NANOSECONDS_PER_SECOND)
