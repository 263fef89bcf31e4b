"""clock: virtual monotonic time."""

from stratvector.runtime.simulation.effect import Scheduler, Sleep


class SimulatedClock:
    """One instance's clock. offset_seconds : no two machines count from the same instant."""

    def __init__(self, scheduler: Scheduler, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds
        self._scheduler = scheduler

    def monotonic_seconds(self) -> float:
        """Seconds since some instant."""
        return self._scheduler.now + self.offset_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait for virtual time."""
        await Sleep(seconds)
