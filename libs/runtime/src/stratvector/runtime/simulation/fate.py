"""fate: what becomes of one effect and of the process that waits for it."""

from dataclasses import dataclass
from typing import Literal

When = Literal["before", "after"]
Loss = Literal["request", "answer", "late"]


@dataclass(frozen=True)
class Fate:
    """Everything that happens to one effect; the default is that nothing does.

    crash : the process dies before the effect leaves, or after it was performed.
    pause_seconds, pause : the process stops before the effect leaves, or right after.
    clock_stops : its clock does not count the pause, as on a suspended machine.
    loss : the request never arrives, its answer never returns, or it lands after the process was
        told "unknown".
    out_seconds, back_seconds : the way to the server and the way back.
    """

    crash: When | None = None
    pause_seconds: float = 0.0
    pause: When = "before"
    clock_stops: bool = False
    loss: Loss | None = None
    out_seconds: float = 0.0
    back_seconds: float = 0.0


@dataclass(frozen=True)
class CrashPlan:
    """Kill a service at the n-th time (from 1) that it comes to a kind of effect."""

    service: str
    effect_kind: str
    occurrence: int
    when: When = "before"

    @property
    def fate(self) -> Fate:
        """The crash alone."""
        return Fate(crash=self.when)


@dataclass(frozen=True)
class FaultPlan:
    """Give the n-th effect (from 1) of a kind in a service a fate of one's choice."""

    service: str
    effect_kind: str
    occurrence: int
    fate: Fate


Plan = CrashPlan | FaultPlan
