"""work: the coroutines of a process while they run, and how each of them ends.

process itself ─┐
portfolio a    ─┼─▶ parts, of which more may come at any time ─▶ ended, one by one
portfolio b    ─┘        ▲                                            │
                         └──── its lane lost, or given to an heir ◀───┘
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from stratvector.runtime.at_hand import AT_HAND, LISTENING
from stratvector.runtime.host import Make, Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Stored

REST_SECONDS = 0.25  # before a lane that was lost is stood by for
TURN_SECONDS_MAX = 5.0


@dataclass(eq=False)
class Part:
    """One main coroutine. session : `<run>.<portfolio>`, empty for one of the process itself.

    number : its place among those of its session. lane : what it writes to, if anything. again :
    makes both anew. finished : it came to its end. halted : why it stays where it is, empty while
    it does not. turning : its lane was lost, or is being given away, and it begins anew.
    """

    session: str
    number: int
    lane: Lane | None = None
    again: Make | None = None
    finished: bool = False
    halted: str = ""
    turning: bool = False


@dataclass(frozen=True)
class Ended:
    """One coroutine's end.

    part : whose it was; of the work or of its lane's keeper. error : None when it came to its end
    by itself. at_hand : the message that it took last.
    """

    part: Part
    error: BaseException | None
    at_hand: Stored | None


@dataclass(frozen=True)
class _Running:
    """A task of a part. context : of its main coroutine. is_main : or its lane's keeper."""

    part: Part
    context: Context
    is_main: bool


class DoubleLane(RuntimeError):
    """A process must not begin a lane twice: its two owners would fence each other off."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"this process works on lane {subject} already")
        self.subject = subject


class ClingingWork(RuntimeError):
    """The work on a lane did not end when it was told to, so it can't begin anew beside it."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"the work on lane {subject} does not end")
        self.subject = subject


class Work:
    """The main coroutines and, beside them, the keepers of their lanes' leases. Speaks
    `spread.Hands`.

    parts : of all that was begun; replaced at once, so that other threads may read it.
    """

    def __init__(self, main: Sequence[Coroutine[Any, Any, None]] = ()) -> None:
        self.parts: tuple[Part, ...] = ()
        self._running: dict[asyncio.Task[None], _Running] = {}
        self._over: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        self._leaving = False
        self.begin("", Tasks(main))

    def begin(self, session: str, tasks: Tasks) -> None:
        """Run the coroutines of one more portfolio, or more of one that has begun. Raises
        DoubleLane.
        """
        known = {part.lane.subject for part in self.parts if part.lane is not None}
        for lane in tasks.lanes:
            if lane.subject in known:
                raise DoubleLane(lane.subject)
        begun, before = list[Part](), sum(part.session == session for part in self.parts)
        for number, coroutine in enumerate(tasks.main):
            written = tasks.lanes[number] if number < len(tasks.lanes) else None
            again = tasks.again[number] if number < len(tasks.again) else None
            begun.append(part := Part(session, before + number, written, again))
            self._run(part, coroutine)
        self.parts = (*self.parts, *begun)

    async def ended(self) -> list[Ended]:
        """Those that ended since it was asked last; waits until there is one."""
        found = list[Ended]()
        while not found:
            done = [await self._over.get()]
            while not self._over.empty():
                done.append(self._over.get_nowait())
            # What was told to end, as its lane turns, is none.
            found = [self._ended(task) for task in done if task in self._running]
        return found

    def lanes(self) -> Sequence[tuple[Lane, bool]]:
        """Every lane that can begin anew here, and whether its work goes on."""
        return [
            (part.lane, not (part.finished or part.halted))
            for part in self.parts
            if part.lane is not None and part.again is not None and not part.turning
        ]

    async def move(self, lane: Lane, heir: str) -> None:
        """End the work on a lane, give it to its heir and stand by. Raises ClingingWork."""
        part = next((one for one in self.parts if one.lane is lane), None)
        if part is not None and not part.turning and not self._leaving:
            await self._turn(part, lambda: lane.hand_over(heir))

    async def begin_anew(self, part: Part) -> None:
        """Stand by for a lane that is lost, which ends nothing else. Raises ClingingWork."""
        if not part.turning and not self._leaving:
            await self._turn(part, lambda: asyncio.sleep(REST_SECONDS))

    async def stop_main(self, seconds: float) -> None:
        """Cancel the main coroutines and wait so long for their ends."""
        self._leaving = True
        await cancel([task for task, one in self._running.items() if one.is_main], seconds)

    async def hand_over(self, seconds: float, heirs: Mapping[str, str] | None = None) -> list[str]:
        """Give every lane that is owned to its heir, or to whoever stands by; those that could not
        be given.
        """
        await cancel([task for task, one in self._running.items() if not one.is_main], seconds)
        lanes = [part.lane for part in self.parts if part.lane is not None]
        owned, named = [lane for lane in lanes if lane.epoch and not lane.lost], heirs or {}
        giving = {
            asyncio.create_task(lane.hand_over(named.get(lane.subject, ""))): lane for lane in owned
        }
        if giving:
            await asyncio.wait(giving, timeout=seconds)
        kept = [lane.subject for task, lane in giving.items() if not _succeeded(task)]
        await cancel(giving, seconds)
        return kept

    def _run(self, part: Part, coroutine: Coroutine[Any, Any, None]) -> None:
        """The work of a part, and what keeps its lane."""
        context = copy_context()
        context.run(LISTENING.set, set())
        self._start(part, coroutine, context, f"main {part.number} {part.session}".rstrip(), True)
        if part.lane is not None:
            name = f"keeper of {part.lane.subject}"
            self._start(part, part.lane.keep(), context.copy(), name, False)

    def _start(
        self,
        part: Part,
        coroutine: Coroutine[Any, Any, None],
        context: Context,
        name: str,
        is_main: bool,
    ) -> None:
        task = asyncio.create_task(coroutine, name=name, context=context)
        self._running[task] = _Running(part, context, is_main)
        task.add_done_callback(self._over.put_nowait)

    async def _turn(self, part: Part, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """End all work of a part, do something, begin it anew."""
        assert part.lane is not None, "only a lane turns"
        assert part.again is not None, "it can't be made anew"
        part.turning = True
        try:
            tasks = {task: one for task, one in self._running.items() if one.part is part}
            for task in tasks:
                del self._running[task]
            await cancel(tasks, TURN_SECONDS_MAX)
            if not all(task.done() for task in tasks):
                raise ClingingWork(part.lane.subject)
            for one in tasks.values():
                await _close_all(one.context)
            await meanwhile()
            if self._leaving:
                return
            made = part.again()
            (part.lane,), (coroutine,) = made.lanes, made.main
            part.finished, part.halted = False, ""
            self._run(part, coroutine)
        finally:
            part.turning = False

    def _ended(self, task: asyncio.Task[None]) -> Ended:
        one = self._running[task]
        at_hand = one.context.get(AT_HAND) if one.is_main else None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        return Ended(one.part, error, at_hand)


async def _close_all(context: Context) -> None:
    """What the work listened to: nobody reads it any more."""
    for one in list(context.get(LISTENING) or ()):
        await one.close()


async def cancel(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Cancel tasks and wait so long for their ends; one that goes on is not waited for.

    They are told again after half of it: the bus's client takes no notice while it waits for its
    socket.
    """
    going: Collection[asyncio.Task[Any]] = tasks
    for _ in range(2):
        for task in going:
            task.cancel()
        if going:
            _, going = await asyncio.wait(going, timeout=seconds / 2)
    for task in tasks:
        if task.done():
            # Asked for, so that asyncio does not report an error that nobody looked at.
            with suppress(asyncio.CancelledError):
                task.exception()


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
