"""clock: the machine's UTC and its monotonic time, in which a machine that was suspended slept."""

import asyncio
import time

# On Linux only this clock goes on while the machine is suspended; elsewhere the common one does.
COUNTS_SUSPENSION = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class AsyncClock:
    """Speaks `ports.Clock` in an asyncio process."""

    def monotonic_seconds(self) -> float:
        """Seconds since some instant; a stopped process, or one of a suspended machine, finds them
        gone when it continues: meanwhile another machine may have taken its lanes.
        """
        return time.clock_gettime(COUNTS_SUSPENSION)

    def utc_now(self) -> int:
        """The machine's UTC, ns."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
