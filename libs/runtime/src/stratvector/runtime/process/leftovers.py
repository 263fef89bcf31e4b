"""leftovers: what a drained process still has: tasks, threads, sockets, children.

A service that stops leaves nothing behind; the runner looks, and says so when it does.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Collection

import psutil

# What was told to end, such as an idle thread of a pool, may still be ending on a busy machine.
ENDING_SECONDS_MAX = 1.0
LOOK_SECONDS = 0.02
STANDARD_STREAMS = frozenset({0, 1, 2})


async def left_tasks() -> list[str]:
    """Tasks of the running loop besides the one that asks, which don't end by themselves."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=ENDING_SECONDS_MAX)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return [f"task {task.get_name()}" for task in others]


def open_sockets() -> frozenset[int]:
    """File descriptors of this process's sockets, its standard streams left out."""
    found = psutil.Process().net_connections(kind="all")
    return frozenset(connection.fd for connection in found) - STANDARD_STREAMS


def left_in_process(sockets_before: Collection[int]) -> list[str]:
    """Threads, sockets and children, asked when no event loop runs any more.

    sockets_before : those that the process began with.
    """
    gc.collect()  # what nobody refers to is not left behind
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    while (left := _still_there(sockets_before)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return left


def _still_there(sockets_before: Collection[int]) -> list[str]:
    main = threading.main_thread()
    process = psutil.Process()
    threads = [
        f"thread {t.name}"
        for t in threading.enumerate()
        # A library's own thread that once called Python is listed for ever, gone or not.
        if t is not main and not isinstance(t, threading._DummyThread)
    ]
    sockets = [
        f"socket {c.fd} {c.laddr} to {c.raddr}"
        for c in process.net_connections(kind="all")
        if c.fd not in STANDARD_STREAMS and c.fd not in sockets_before
    ]
    children = [f"child {child.pid} {child.name()}" for child in process.children(recursive=True)]
    return threads + sockets + children
