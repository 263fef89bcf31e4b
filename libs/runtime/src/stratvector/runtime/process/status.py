"""status: how far a process is, as `/readyz`, gRPC health and the log tell it.

    starting ─▶ standby ─▶ owner ─▶ finished        standby: also while no portfolio is there yet
        └──────────┴─────────┴──▶ halted | draining

Lanes are looked at when somebody asks: the work itself reports nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from stratvector.runtime.lane import Lane

UNSTORED = "NATS does not store"  # how a trouble begins that holds up the whole session


class State(StrEnum):
    """Of a lane, and of the process: that of its least advanced lane."""

    STARTING = "starting"
    STANDBY = "standby"
    OWNER = "owner"
    FINISHED = "finished"
    HALTED = "halted"
    DRAINING = "draining"


READY = frozenset({State.STANDBY, State.OWNER, State.FINISHED})


@dataclass(frozen=True)
class LaneStatus:
    """One lane of the process. epoch : of this instance, 0 as a standby."""

    subject: str
    state: State
    epoch: int
    sequence: int


@dataclass
class Heartbeat:
    """When the event loop last turned. stall_seconds : silence that counts as stuck."""

    stall_seconds: float
    beaten_at: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """The loop turns."""
        self.beaten_at = time.monotonic()

    def silence_seconds(self) -> float:
        """How long ago the loop turned."""
        return time.monotonic() - self.beaten_at

    def is_stuck(self) -> bool:
        """Whether the loop has not turned for too long."""
        return self.silence_seconds() > self.stall_seconds


@dataclass
class Status:
    """What the runner knows about its process; read by other threads, so each field is set at once.

    waiting_for : why the service can't start yet. idle : why it has nothing to do, although it is
    there with its bus: nobody wants a portfolio. mains : how many main coroutines it has; lanes :
    what they write to, in their order. finished : numbers of those that came to their end. halted :
    why, by number. trouble : asked at each look; why the process is not ready although it runs.
    """

    waiting_for: str = ""
    idle: str = ""
    mains: int = 0
    lanes: Sequence[Lane] = ()
    started: bool = False
    draining: bool = False
    finished: set[int] = field(default_factory=set)
    halted: dict[int, str] = field(default_factory=dict)
    trouble: Callable[[], str] = str

    def state(self) -> State:
        """The process's state."""
        if self.draining:
            return State.DRAINING
        if not self.started:
            return State.STANDBY if self.idle else State.STARTING
        if self.halted:
            return State.HALTED
        states = {lane.state for lane in self.lane_statuses()}
        if State.STANDBY in states:
            return State.STANDBY
        return State.FINISHED if 0 < self.mains == len(self.finished) else State.OWNER

    def reason(self) -> str:
        """Why the process is not ready, empty when it is."""
        match self.state():
            case State.STARTING:
                return self.waiting_for or "the service is being built"
            case State.HALTED:
                return "; ".join(self.halted[n] for n in sorted(self.halted))
            case State.DRAINING:
                return "the process is asked to stop"
        return self.trouble()

    def is_ready(self) -> bool:
        """Whether the process does its work, as owner or as standby."""
        return self.state() in READY and not self.trouble()

    def lane_statuses(self) -> list[LaneStatus]:
        """Every lane as it is now."""
        return [
            LaneStatus(lane.subject, self._lane_state(n, lane), lane.epoch, lane.sequence)
            for n, lane in enumerate(self.lanes)
        ]

    def document(self) -> dict[str, Any]:
        """What `/readyz` answers."""
        return {
            "state": self.state(),
            "ready": self.is_ready(),
            "reason": self.reason(),
            "idle": self.idle,
            "lanes": [asdict(lane) for lane in self.lane_statuses()],
        }

    def _lane_state(self, n: int, lane: Lane) -> State:
        if n in self.halted:
            return State.HALTED
        if n in self.finished:
            return State.FINISHED
        return State.OWNER if lane.epoch and not lane.lost else State.STANDBY
