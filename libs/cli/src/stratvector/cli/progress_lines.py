"""Progress for programs: JSON lines on standard error.

    {"phase": "loading bars"}
    {"phase": "replaying", "closes_done": 2048, "closes": 4632, "date": "2018-06-05"}
    {"phase": "writing results"}

Everything else on standard error is no JSON object with a `phase`. A phase is told when it begins,
replaying again whenever closes are done.
"""

import json
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from stratvector.cli.console import remark

if TYPE_CHECKING:
    from stratvector.trading.schedule import Schedule

NANOSECONDS_PER_SECOND = 1_000_000_000


class ProgressForm(StrEnum):
    """How progress is told on standard error."""

    BAR = "bar"
    JSON = "json"


class Phase(StrEnum):
    """What a backtest does, in this order."""

    LOADING = "loading bars"
    REPLAYING = "replaying"
    WRITING = "writing results"


class ProgressLines:
    """Told how many closes are done, writes a line for it."""

    def __init__(self, schedule: "Schedule") -> None:
        self._close_times = schedule.close_times

    def __call__(self, done: int, closes: int) -> None:
        """So many closes of all are done."""
        date = utc_date(int(self._close_times[done - 1])) if done else ""
        tell_phase(Phase.REPLAYING, closes_done=done, closes=closes, date=date)

    def say(self, line: str) -> None:
        """A line for people between those for programs."""
        remark(line)


def tell_phase(phase: Phase, **facts: Any) -> None:
    """One line."""
    remark(json.dumps({"phase": phase, **facts}))


def utc_date(instant_ns: int) -> str:
    """YYYY-MM-DD of an instant, UTC ns."""
    return time.strftime("%Y-%m-%d", time.gmtime(instant_ns // NANOSECONDS_PER_SECOND))
