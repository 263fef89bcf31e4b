"""One case in a process of its own: the clock starts at loaded bars, after a run that warms up."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Panel = dict[str, NDArray[np.float64]]


def panel_of(path: str) -> Panel:
    """Close times (int64[T], ns UTC) and open, high, low, close, volume (float64[T, S])."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def measured(run: Callable[[], object], repeats: int) -> None:
    """Print the median of wall and processor seconds of a run, its peak of memory above what was
    there before the first one (MiB), and what it returned last.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()  # compiles and caches, on all sides
    wall, cpu, told = list[float](), list[float](), None
    for _ in range(repeats):
        begun, worked = time.perf_counter(), time.process_time()
        told = run()
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - worked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "wall": statistics.median(wall),
        "cpu": statistics.median(cpu),
        "memory": (peak - before) / 1024,
        "told": told,
    }
    json.dump(figures, sys.stdout)
