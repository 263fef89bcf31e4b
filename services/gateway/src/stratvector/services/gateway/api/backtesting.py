"""backtesting: backtests as jobs of research."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from stratvector.services.gateway.api.asking import Gateway
from stratvector.services.gateway.api.values import Figure, Shape, Time, figure, time_of
from stratvector.services.gateway.clients.research import Job

router = APIRouter(prefix="/api/backtesting", tags=["backtesting"])
Text = Annotated[str, Field(max_length=200)]


class Wish(BaseModel):
    """A backtest to run. Dates are YYYY-MM-DD; empty = as configured."""

    model_config = ConfigDict(extra="forbid")

    config: Text = "system.yaml"
    start: Text = ""
    end: Text = ""


class JobShape(Shape):
    """A backtest as a job. state : queued, running, done or failed; progress : 0 to 1.

    results : folder on research's disk. metrics : of the result, null = undefined.
    """

    id: str
    state: str
    config: str
    start: str
    end: str
    submitted_at: Time
    ended_at: Time | None
    progress: float
    phase: str
    error: str
    results: str
    metrics: dict[str, Figure]


class Jobs(Shape):
    """Every job, the newest first."""

    jobs: list[JobShape]


@router.post("", status_code=202)
async def submit_backtest(context: Gateway, wish: Wish, response: Response) -> JobShape:
    """Put a backtest into the queue; `Location` tells where to ask for it."""
    job = await context.research.submit(wish.config, wish.start, wish.end)
    response.headers["Location"] = f"/api/backtesting/{job.id}"
    return _shape(job)


@router.get("")
async def get_jobs(context: Gateway) -> Jobs:
    """Every job, the newest first."""
    return Jobs(jobs=[_shape(job) for job in await context.research.jobs()])


@router.get("/{job_id}")
async def get_job(context: Gateway, job_id: str) -> JobShape:
    """A job as it is now."""
    return _shape(await context.research.job(job_id))


def _shape(job: Job) -> JobShape:
    return JobShape(
        id=job.id,
        state=job.state.name.lower(),
        config=job.config,
        start=job.start,
        end=job.end,
        submitted_at=time_of(job.submitted_at) or "",
        ended_at=time_of(job.ended_at),
        progress=job.progress,
        phase=job.phase,
        error=job.error,
        results=job.results,
        metrics={name: figure(value) for name, value in job.metrics.items()},
    )
