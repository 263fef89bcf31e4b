"""work: the coroutines of a service while they run, and how each of them ends."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Stored


@dataclass(frozen=True)
class Ended:
    """One coroutine's end.

    number : its place among the main ones, None for a lane's keeper. error : None when it came to
    its end by itself. at_hand : the message that it took last.
    """

    number: int | None
    error: BaseException | None
    at_hand: Stored | None


class Work:
    """The main coroutines and, beside them, the keepers of their lanes' leases."""

    def __init__(self, tasks: Tasks) -> None:
        self._lanes = tuple(tasks.lanes)
        self._main: dict[asyncio.Task[None], tuple[int, Context]] = {}
        for number, coroutine in enumerate(tasks.main):
            context = copy_context()
            task = asyncio.create_task(coroutine, name=f"main {number}", context=context)
            self._main[task] = (number, context)
        self._keepers = {
            asyncio.create_task(coroutine, name=f"keeper of {lane.subject}")
            for lane, coroutine in zip(self._lanes, tasks.keepers(), strict=True)
        }
        self._pending: set[asyncio.Task[None]] = {*self._main, *self._keepers}

    async def ended(self) -> list[Ended]:
        """Those that ended since it was asked last; waits until there is one."""
        if not self._pending:
            await asyncio.Event().wait()
        done, self._pending = await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
        return [self._ended(task) for task in done]

    async def stop_main(self, seconds: float) -> None:
        """Cancel the main coroutines and wait so long for their ends."""
        await cancel(self._main, seconds)

    async def hand_over(self, seconds: float) -> list[str]:
        """Give every lane that is owned to whoever stands by; those that could not be given."""
        await cancel(self._keepers, seconds)
        owned = [lane for lane in self._lanes if lane.epoch and not lane.lost]
        giving = {asyncio.create_task(lane.hand_over()): lane for lane in owned}
        if giving:
            await asyncio.wait(giving, timeout=seconds)
        kept = [lane.subject for task, lane in giving.items() if not _succeeded(task)]
        await cancel(giving, seconds)
        return kept

    def lost_lanes(self) -> list[str]:
        """The lanes whose ownership is known to be gone."""
        return [lane.subject for lane in self._lanes if lane.lost]

    def _ended(self, task: asyncio.Task[None]) -> Ended:
        number, context = self._main.get(task, (None, None))
        at_hand = context.get(AT_HAND) if context is not None else None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        return Ended(number, error, at_hand)


async def cancel(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Cancel tasks and wait so long for their ends; one that goes on is not waited for."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        if task.done():
            # Asked for, so that asyncio does not report an error that nobody looked at.
            with suppress(asyncio.CancelledError):
                task.exception()


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
