"""Highest and lowest value of a window, by a monotonic queue: each value enters and leaves once."""

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def extreme_of_window(
    values: Floats,
    usable: Floats,
    window: int,
    sign: float,
    queue: NDArray[np.int64],
    queued: Floats,
    extreme: Floats,
    since: Floats,
) -> None:
    """The highest value (sign 1) or the lowest (sign -1), and how many closes ago it was.

    Of equal ones the newest counts. queue, queued : scratch, one per close.
    """
    for s in range(values.shape[1]):
        head = 0
        tail = 0
        for t in range(values.shape[0]):
            if head < tail and queue[head] <= t - window:
                head += 1
            value = sign * values[t, s]
            if value == value:
                while head < tail and queued[tail - 1] <= value:
                    tail -= 1
                queue[tail] = t
                queued[tail] = value
                tail += 1
            if usable[t, s] > 0.0:
                extreme[t, s] = sign * queued[head]
                since[t, s] = t - queue[head]
            else:
                extreme[t, s] = np.nan
                since[t, s] = np.nan
