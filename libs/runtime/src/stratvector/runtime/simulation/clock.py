"""clock: virtual time, monotonic and UTC."""

from stratvector.runtime.simulation.effect import Scheduler, Sleep
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND

UTC_ORIGIN = 1_700_006_400 * NANOSECONDS_PER_SECOND  # a midnight: where every world begins


class SimulatedClock:
    """One instance's clock.

    offset_seconds : no two machines count from the same instant. skew_seconds : how far the host's
    UTC is ahead of the world's.
    """

    def __init__(
        self, scheduler: Scheduler, offset_seconds: float = 0.0, skew_seconds: float = 0.0
    ) -> None:
        self.offset_seconds, self.skew_seconds = offset_seconds, skew_seconds
        self._scheduler = scheduler

    def monotonic_seconds(self) -> float:
        """Seconds since some instant."""
        return self._scheduler.now + self.offset_seconds

    def utc_now(self) -> int:
        """UTC as this host has it, ns."""
        passed = self._scheduler.now + self.skew_seconds
        return UTC_ORIGIN + round(passed * NANOSECONDS_PER_SECOND)

    async def sleep(self, seconds: float) -> None:
        """Wait for virtual time."""
        await Sleep(seconds)
