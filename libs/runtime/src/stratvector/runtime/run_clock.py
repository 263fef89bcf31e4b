"""run_clock: the UTC in which a run lives: the machine's, or one that a test lets run faster.

A run whose document maps time has passed `rate` seconds for each of the machine's since `at`, so a
day takes minutes, and a process that starts again finds the same time.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stratvector.runtime.ports import Clock

RATE_MAX = 100_000.0


@dataclass(frozen=True)
class TimeMap:
    """A run's UTC by the machine's.

    origin : the run's UTC at the machine's UTC `at`, ns. rate : seconds of the run per second.
    """

    origin: int
    at: int
    rate: float

    def __post_init__(self) -> None:
        if not 0.0 < self.rate <= RATE_MAX or not math.isfinite(self.rate):
            raise ValueError(f"rate is {self.rate}; 0 < rate <= {RATE_MAX:g} must hold")

    def utc(self, machine: int) -> int:
        """The run's UTC at a UTC of the machine, ns."""
        return self.origin + round((machine - self.at) * self.rate)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, values: Mapping[str, Any]) -> "TimeMap":
        """From JSON values. Raises ValueError, TypeError or KeyError."""
        origin, at, rate = (values[key] for key in ("origin", "at", "rate"))
        if type(origin) is not int or type(at) is not int:
            raise ValueError(f"origin {origin!r} and at {at!r} must be whole nanoseconds")
        return cls(origin, at, float(rate))


class RunClock:
    """UTC and waiting in a run's time; what a feed is given.

    times : None where the run lives in the machine's.
    """

    def __init__(self, clock: Clock, times: TimeMap | None = None) -> None:
        self._clock, self._times = clock, times

    @property
    def rate(self) -> float:
        """Seconds of the run per second of the machine: what a network takes does not shrink."""
        return 1.0 if self._times is None else self._times.rate

    def now(self) -> int:
        """UTC ns."""
        return self.at(self._clock.utc_now())

    def at(self, machine: int) -> int:
        """The run's UTC at a UTC of the machine, ns."""
        return machine if self._times is None else self._times.utc(machine)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of the run."""
        await self._clock.sleep(seconds / self.rate)
