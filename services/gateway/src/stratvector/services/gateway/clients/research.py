"""research: backtests as jobs."""

from dataclasses import dataclass
from enum import IntEnum

from stratvector.contracts.v1 import research_service_pb2 as pb
from stratvector.contracts.v1.research_service_pb2_grpc import ResearchServiceStub
from stratvector.runtime.peer import Failed, Peer


class JobState(IntEnum):
    """How far a job is."""

    QUEUED = pb.JOB_STATE_QUEUED
    RUNNING = pb.JOB_STATE_RUNNING
    DONE = pb.JOB_STATE_DONE
    FAILED = pb.JOB_STATE_FAILED

    @property
    def is_over(self) -> bool:
        """Whether it changes no more."""
        return self in (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True)
class Job:
    """A backtest from its submission on. Times ns UTC, ended_at 0 = not yet; progress 0 to 1.

    results : folder on research's disk, empty = none yet. metrics : by key, NaN = undefined.
    """

    id: str
    state: JobState
    config: str
    start: str
    end: str
    submitted_at: int
    ended_at: int
    progress: float
    phase: str
    error: str
    results: str
    metrics: dict[str, float]


class ResearchClient:
    """Questions to research; each raises PeerError."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def submit(self, config: str, start: str, end: str) -> Job:
        """Put a backtest into the queue."""
        request = pb.SubmitBacktestRequest(config=config, start=start, end=end)
        return _job((await self._peer.ask(self._stub().SubmitBacktest, request)).job)

    async def job(self, job_id: str) -> Job:
        """A job as it is now."""
        request = pb.GetJobRequest(job_id=job_id)
        return _job((await self._peer.ask(self._stub().GetJob, request)).job)

    async def jobs(self) -> list[Job]:
        """The newest first."""
        answer = await self._peer.ask(self._stub().ListJobs, pb.ListJobsRequest())
        return [_job(one) for one in answer.jobs]

    def _stub(self) -> ResearchServiceStub:
        return ResearchServiceStub(self._peer.channel())


def _job(wire: pb.Job) -> Job:
    try:
        state = JobState(wire.state)
    except ValueError:
        raise Failed(f"research tells an unknown state {wire.state} of {wire.job_id}") from None
    return Job(
        id=wire.job_id,
        state=state,
        config=wire.request.config,
        start=wire.request.start,
        end=wire.request.end,
        submitted_at=wire.submitted_at_ns,
        ended_at=wire.ended_at_ns,
        progress=wire.progress,
        phase=wire.phase,
        error=wire.error,
        results=wire.results,
        metrics={one.name: one.value for one in wire.metrics},
    )
