"""status: how far a process is, as `/readyz`, gRPC health and the log tell it.

    starting ─▶ standby ─▶ owner ─▶ finished        standby: also while no portfolio is there yet
        └──────────┴─────────┴──▶ halted | draining

A process is as far as the least advanced of its portfolios, and finished when all are that it has.
Lanes are looked at when somebody asks: the work itself reports nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from stratvector.runtime.process.work import Part

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
    """One lane of the process. epoch : of this instance, 0 as a standby. held_back : why nobody may
    take it, empty where somebody may.
    """

    subject: str
    state: State
    epoch: int
    sequence: int
    held_back: str = ""


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
    there with its bus: nobody wants a portfolio. beginning : the first portfolios, while none has
    begun, `<run>.<portfolio>`. refused : why those can't be served here that others can. parts :
    asked at each look; every main coroutine. trouble : asked too; why the process is not ready
    although it runs.
    """

    waiting_for: str = ""
    idle: str = ""
    beginning: tuple[str, ...] = ()
    started: bool = False
    draining: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    parts: Callable[[], Sequence[Part]] = tuple
    trouble: Callable[[], str] = str

    def state(self) -> State:
        """The process's state."""
        if self.draining:
            return State.DRAINING
        if not self.started:
            return State.STARTING
        if self._halts():
            return State.HALTED
        if self.beginning:
            return State.STARTING
        if self.idle:
            return State.STANDBY
        return _least_advanced([part for part in self.parts() if part.session])

    def reason(self) -> str:
        """Why the process is not ready, empty when it is."""
        match self.state():
            case State.STARTING:
                told = self.waiting_for or "the service is being built"
                return f"beginning {', '.join(self.beginning)}" if self.beginning else told
            case State.HALTED:
                return "; ".join(self._halts())
            case State.DRAINING:
                return "the process is asked to stop"
        return self.trouble()

    def is_ready(self) -> bool:
        """Whether the process does its work, as owner or as standby."""
        return self.state() in READY and not self.trouble()

    def lane_statuses(self) -> list[LaneStatus]:
        """Every lane as it is now."""
        return [
            LaneStatus(lane.subject, _state_of(part), lane.epoch, lane.sequence, lane.held_back)
            for part in self.parts()
            if (lane := part.lane) is not None
        ]

    def portfolio_states(self) -> dict[str, State]:
        """The state of each portfolio in each run, by `<run>.<portfolio>`."""
        states = dict.fromkeys(self.beginning, State.STARTING)
        parts = self.parts()
        for session in dict.fromkeys(part.session for part in parts if part.session):
            states[session] = _least_advanced([p for p in parts if p.session == session])
        return states | dict.fromkeys(self.refused, State.HALTED)

    def document(self) -> dict[str, Any]:
        """What `/readyz` answers."""
        return {
            "state": self.state(),
            "ready": self.is_ready(),
            "reason": self.reason(),
            "idle": self.idle,
            "held": self.held(),
            "portfolios": self.portfolio_states(),
            "lanes": [asdict(lane) for lane in self.lane_statuses()],
        }

    def held(self) -> dict[str, str]:
        """Why nobody may take the lanes of a portfolio, by `<run>.<portfolio>`, of those that are
        held: the process is well, and waits for a person.
        """
        lanes = [(part.session, part.lane) for part in self.parts() if part.lane is not None]
        return {session: lane.held_back for session, lane in lanes if lane.held_back}

    def _halts(self) -> list[str]:
        halted = {part.session: part.halted for part in self.parts() if part.halted}
        told = [part.halted for part in self.parts() if part.halted]
        refused = self.refused.items()
        return told + [f"{session}: {why}" for session, why in refused if session not in halted]


def _least_advanced(parts: Sequence[Part]) -> State:
    """The state of a portfolio, or of all; without a part there is nothing to wait for."""
    states = {_state_of(part) for part in parts}
    for state in (State.HALTED, State.STANDBY):
        if state in states:
            return state
    return State.FINISHED if states == {State.FINISHED} else State.OWNER


def _state_of(part: Part) -> State:
    if part.halted:
        return State.HALTED
    if part.finished:
        return State.FINISHED
    if part.lane is None:
        return State.OWNER
    return State.OWNER if part.lane.epoch and not part.lane.lost else State.STANDBY
