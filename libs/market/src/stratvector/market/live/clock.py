"""The clock that a live feed is given: the only source of time in this room."""

from typing import Protocol

from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND

# A long wait re-reads the clock now and then: a host that slept, or whose UTC was set, is noticed.
_NAP_SECONDS_MAX = 300.0


class UtcClock(Protocol):
    """UTC and waiting. A process gives the machine's; a test gives one that it moves itself."""

    def now(self) -> int:
        """The present time, UTC ns."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


def nanoseconds(seconds: float) -> int:
    """A duration in seconds as whole nanoseconds."""
    return round(seconds * NANOSECONDS_PER_SECOND)


def seconds_between(start: int, end: int) -> float:
    """The seconds from one time to a later one (UTC ns); never below 0."""
    return max(0, end - start) / NANOSECONDS_PER_SECOND


async def sleep_until(clock: UtcClock, time: int) -> None:
    """Wait until the clock shows `time` (UTC ns) or more."""
    while clock.now() < time:
        await clock.sleep(min(seconds_between(clock.now(), time), _NAP_SECONDS_MAX))
