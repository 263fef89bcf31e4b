"""leftovers: what a drained process still has: tasks, threads, sockets, children.

A service that stops leaves nothing behind; the runner looks, and says so when it does.
"""

import asyncio
import gc
import threading
from collections.abc import Collection

import psutil

STANDARD_STREAMS = frozenset({0, 1, 2})


def left_tasks() -> list[str]:
    """Tasks of the running loop besides the one that asks."""
    asking = asyncio.current_task()
    return [f"task {task.get_name()}" for task in asyncio.all_tasks() if task is not asking]


def open_sockets() -> frozenset[int]:
    """File descriptors of this process's sockets, its standard streams left out."""
    found = psutil.Process().net_connections(kind="all")
    return frozenset(connection.fd for connection in found) - STANDARD_STREAMS


def left_in_process(sockets_before: Collection[int]) -> list[str]:
    """Threads, sockets and children, asked when no event loop runs any more.

    sockets_before : those that the process began with.
    """
    gc.collect()  # what nobody refers to is not left behind
    main = threading.main_thread()
    process = psutil.Process()
    threads = [f"thread {t.name}" for t in threading.enumerate() if t is not main]
    sockets = [
        f"socket {c.fd} {c.laddr} to {c.raddr}"
        for c in process.net_connections(kind="all")
        if c.fd not in STANDARD_STREAMS and c.fd not in sockets_before
    ]
    children = [f"child {child.pid} {child.name()}" for child in process.children(recursive=True)]
    return threads + sockets + children
