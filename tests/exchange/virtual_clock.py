"""A clock that a test moves: time passes only when everybody sleeps, so days take seconds."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.exchange.prices import NANOSECONDS_PER_SECOND

Result = TypeVar("Result")

# Turns of the loop after which whoever has something to do has begun it.
_QUIET_TURNS = 12


class VirtualClock:
    """Satisfies the feed's clock."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> int:
        """UTC ns."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has moved the clock so far."""
        self._count += 1
        until = self._now + max(0, round(seconds * NANOSECONDS_PER_SECOND))
        asleep: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (until, self._count, asleep))
        await asleep

    async def run(self, work: Coroutine[Any, Any, Result], busy: Callable[[], bool]) -> Result:
        """Move the clock from sleeper to sleeper until the work is done.

        busy : whether anybody waits for an answer over a socket; time then stands still.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                for _ in range(_QUIET_TURNS):
                    await asyncio.sleep(0)
                if not busy() and not task.done():
                    self._wake_next()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _wake_next(self) -> None:
        while self._sleepers:
            until, _, asleep = heapq.heappop(self._sleepers)
            if not asleep.done():
                self._now = max(self._now, until)
                asleep.set_result(None)
                return
