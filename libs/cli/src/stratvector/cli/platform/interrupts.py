"""interrupts: the first Ctrl-C asks for a drain, the second ends everything at once.

SIGTERM, which supervisors send, does the same. SIGHUP says that the terminal was closed, often more
than once, and asks for a drain only; under nohup, which has it ignored, it stays ignored. Before
there is anything to drain, and after it, all three end the command (`failures.end_as_by_ctrl_c`).
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ASKING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def first_and_second(second: Callable[[], None]) -> Iterator[asyncio.Event]:
    """An event that the first of these signals sets for the time of a block.

    second : called at each further SIGINT or SIGTERM. Only in a main thread with a running loop.
    """
    asked, loop = asyncio.Event(), asyncio.get_running_loop()

    def interrupted() -> None:
        if asked.is_set():
            second()
        asked.set()

    heard = dict.fromkeys(ASKING, interrupted)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard[signal.SIGHUP] = asked.set
    before = {number: signal.getsignal(number) for number in heard}
    for number, act in heard.items():
        loop.add_signal_handler(number, act)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            # The loop leaves the default action, which would end the command on the spot.
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
