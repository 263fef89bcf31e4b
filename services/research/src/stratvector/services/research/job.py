"""job: a backtest from its submission on.

    queued ─▶ running ─▶ done
       ▲         │└────▶ failed
       └─────────┘ its service stopped or died

A change makes a new job; what is not kept over a restart is how far a running one has come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

PROGRESS_RUNNING_MAX = 0.99
ERROR_CHARACTERS_MAX = 1000


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True)
class BacktestRequest:
    """What is asked for. config : below the config folder. start, end : ISO dates, "" as
    configured.
    """

    config: str
    start: str = ""
    end: str = ""


@dataclass(frozen=True)
class Job:
    """A backtest at one moment.

    submitted_at_ns, ended_at_ns : UTC ns, 0 = not yet. progress : of the closes, 0 to 1, and 1 only
    when it is done. phase : what it does, for people. error : why it failed. metrics : of the
    result, NaN = undefined.
    """

    job_id: str
    request: BacktestRequest
    submitted_at_ns: int
    state: JobState = JobState.QUEUED
    ended_at_ns: int = 0
    progress: float = 0.0
    phase: str = "waiting"
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    def waiting(self) -> "Job":
        """Back in the queue, as if it had never begun."""
        return Job(self.job_id, self.request, self.submitted_at_ns)

    def running(self) -> "Job":
        """Its process starts."""
        return replace(self.waiting(), state=JobState.RUNNING, phase="starting")

    def told(self, phase: str, progress: float) -> "Job":
        """What its process says; progress never steps back and is below 1 until the end."""
        within = min(max(progress, self.progress), PROGRESS_RUNNING_MAX)
        return replace(self, phase=phase, progress=within)

    def done(self, metrics: Mapping[str, float], now_ns: int) -> "Job":
        """Its results lie in its folder."""
        return replace(
            self,
            state=JobState.DONE,
            phase="done",
            progress=1.0,
            metrics=dict(metrics),
            ended_at_ns=now_ns,
        )

    def failed(self, error: str, now_ns: int) -> "Job":
        """It ended without results."""
        return replace(
            self,
            state=JobState.FAILED,
            phase="failed",
            error=error[:ERROR_CHARACTERS_MAX],
            ended_at_ns=now_ns,
        )
