"""work: the coroutines of a process while they run, and how each of them ends.

process itself ─┐
portfolio a    ─┼─▶ parts, of which more may come at any time ─▶ ended, one by one
portfolio b    ─┘
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Stored


@dataclass(eq=False)
class Part:
    """One main coroutine. session : `<run>.<portfolio>`, empty for one of the process itself.

    number : its place among those of its session. lane : what it writes to, if anything. finished :
    it came to its end. halted : why it stays where it is, empty while it does not.
    """

    session: str
    number: int
    lane: Lane | None = None
    finished: bool = False
    halted: str = ""


@dataclass(frozen=True)
class Ended:
    """One coroutine's end.

    part : None for a lane's keeper. error : None when it came to its end by itself. at_hand : the
    message that it took last.
    """

    part: Part | None
    error: BaseException | None
    at_hand: Stored | None


class DoubleLane(RuntimeError):
    """A process must not begin a lane twice: its two owners would fence each other off."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"this process works on lane {subject} already")
        self.subject = subject


class Work:
    """The main coroutines and, beside them, the keepers of their lanes' leases.

    parts : of all that was begun; replaced at once, so that other threads may read it.
    """

    def __init__(self, main: Sequence[Coroutine[Any, Any, None]] = ()) -> None:
        self.parts: tuple[Part, ...] = ()
        self._main: dict[asyncio.Task[None], tuple[Part, Context]] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._over: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        self.begin("", Tasks(main))

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What is written to, in the order in which it was begun."""
        return tuple(part.lane for part in self.parts if part.lane is not None)

    def begin(self, session: str, tasks: Tasks) -> None:
        """Run the coroutines of one more portfolio, or more of one that has begun. Raises
        DoubleLane.
        """
        known = {lane.subject for lane in self.lanes}
        for lane in tasks.lanes:
            if lane.subject in known:
                raise DoubleLane(lane.subject)
        begun, before = list[Part](), sum(part.session == session for part in self.parts)
        for place, coroutine in enumerate(tasks.main):
            written, number = (
                tasks.lanes[place] if place < len(tasks.lanes) else None,
                before + place,
            )
            begun.append(part := Part(session, number, written))
            name, context = f"main {number} {session}".rstrip(), copy_context()
            task = asyncio.create_task(coroutine, name=name, context=context)
            self._main[task] = (part, context)
            task.add_done_callback(self._over.put_nowait)
        for lane, coroutine in zip(tasks.lanes, tasks.keepers(), strict=True):
            task = asyncio.create_task(coroutine, name=f"keeper of {lane.subject}")
            self._keepers.add(task)
            task.add_done_callback(self._over.put_nowait)
        self.parts = (*self.parts, *begun)

    async def ended(self) -> list[Ended]:
        """Those that ended since it was asked last; waits until there is one."""
        done = [await self._over.get()]
        while not self._over.empty():
            done.append(self._over.get_nowait())
        return [self._ended(task) for task in done]

    async def stop_main(self, seconds: float) -> None:
        """Cancel the main coroutines and wait so long for their ends."""
        await cancel(self._main, seconds)

    async def hand_over(self, seconds: float) -> list[str]:
        """Give every lane that is owned to whoever stands by; those that could not be given."""
        await cancel(self._keepers, seconds)
        owned = [lane for lane in self.lanes if lane.epoch and not lane.lost]
        giving = {asyncio.create_task(lane.hand_over()): lane for lane in owned}
        if giving:
            await asyncio.wait(giving, timeout=seconds)
        kept = [lane.subject for task, lane in giving.items() if not _succeeded(task)]
        await cancel(giving, seconds)
        return kept

    def lost_lanes(self) -> list[str]:
        """The lanes whose ownership is known to be gone."""
        return [lane.subject for lane in self.lanes if lane.lost]

    def _ended(self, task: asyncio.Task[None]) -> Ended:
        part, context = self._main.get(task, (None, None))
        at_hand = context.get(AT_HAND) if context is not None else None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        return Ended(part, error, at_hand)


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
