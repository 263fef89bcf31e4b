"""beginnings: portfolios that are found, each begun by a task of its own, so that a slow one, such
as one whose bars must be loaded, holds up no other.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from stratvector.runtime.host import Tasks
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.finding import Found
from stratvector.runtime.process.work import cancel
from stratvector.runtime.session_document import BadSession

BeginFound = Callable[[Found], Awaitable[Tasks]]


@dataclass(frozen=True)
class Begun:
    """How one portfolio's beginning ended: with its coroutines, or with why there are none."""

    key: str
    outcome: Tasks | CannotStart


class Beginnings:
    """Follows what is found. begin : gives the coroutines of one.

    served : the keys of what has begun here; replaced at once.
    """

    def __init__(self, found: AsyncGenerator[Sequence[Found], None], begin: BeginFound) -> None:
        self._found, self._begin = found, begin
        self._over: asyncio.Queue[tuple[str, asyncio.Task[Tasks] | None]] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[Tasks]] = {}
        self.served: frozenset[str] = frozenset()
        self._looked = asyncio.Event()
        self._following = asyncio.create_task(self._follow(), name="finding portfolios")
        self._following.add_done_callback(lambda task: self._over.put_nowait(("", None)))

    @property
    def waiting(self) -> tuple[str, ...]:
        """The keys of what is being begun now."""
        return tuple(self._tasks)

    async def begun_first(self, seconds: float) -> None:
        """Wait until what was there at the start has begun, or so long: bars may take any time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked.wait()
                if self._tasks:
                    await asyncio.wait(tuple(self._tasks.values()))

    async def next(self) -> Begun:
        """The next beginning that ended. Raises what no beginning may: a defect, or a message of
        the log that no owner wrote.
        """
        key, task = await self._over.get()
        if task is None:
            self._following.result()
            raise RuntimeError("nobody looks for portfolios any more")
        self._tasks.pop(key, None)
        try:
            tasks = task.result()
        except BadSession as error:
            return Begun(key, CannotStart(f"session: {error}"))
        except CannotStart as error:
            return Begun(key, error)
        self.served |= {key}
        return Begun(key, tasks)

    async def end(self, seconds: float) -> None:
        """Look no further, and give up what is being begun."""
        await cancel({self._following, *self._tasks.values()}, seconds)
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                for coroutine in task.result().main:
                    coroutine.close()

    async def _follow(self) -> None:
        async with aclosing(self._found) as batches:
            async for batch in batches:
                # All of a batch at once: who seems to be alone may end the process.
                for found in batch:
                    if found.key not in self._tasks and found.key not in self.served:
                        self._start(found)
                self._looked.set()

    def _start(self, found: Found) -> None:
        async def begin() -> Tasks:
            return await self._begin(found)

        task = asyncio.create_task(begin(), name=f"beginning {found.key}")
        self._tasks[found.key] = task
        task.add_done_callback(lambda over: self._over.put_nowait((found.key, over)))
