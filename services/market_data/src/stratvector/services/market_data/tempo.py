"""How fast a replay may go: closes per second at most, for who wants to watch it."""

from stratvector.runtime.ports import Clock


class Tempo:
    """Holds back each close until it is due; counts from the first that it was asked for.

    closes_per_s_max : None holds nothing back. It delays messages and changes none.
    """

    def __init__(self, clock: Clock, closes_per_s_max: float | None) -> None:
        self._clock, self._closes_per_s_max = clock, closes_per_s_max
        self._first: tuple[int, float] | None = None

    async def wait_for(self, place: int) -> None:
        """Return when the close at this place of the schedule is due."""
        if self._closes_per_s_max is None:
            return
        now = self._clock.monotonic_seconds()
        first_place, first_at = self._first = self._first or (place, now)
        due_at = first_at + (place - first_place) / self._closes_per_s_max
        if due_at > now:
            await self._clock.sleep(due_at - now)
