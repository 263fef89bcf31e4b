"""sockets: the background tasks of the pages' connections, so that a drain can end them.

Engine.IO starts a task that looks for dead connections, and one per connection that pings it;
nobody ends them with the server.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nicegui import background_tasks, core


class PageTasks:
    """Every task that Engine.IO starts from now on."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        core.sio.eio.start_background_task = self._start

    async def end(self) -> None:
        """Cancel those that still run, and wait for their ends."""
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # A connection that ends after the pages' shutdown leaves a task that waits for its return.
        await background_tasks.teardown()

    def _start(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **named: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(target(*args, **named))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
