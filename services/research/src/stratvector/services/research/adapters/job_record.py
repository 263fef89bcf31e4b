"""job_record: a job as JSON, read strictly: what is kept over a restart."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stratvector.runtime.validation_sentences import mistakes
from stratvector.services.research.job import BacktestRequest, Job, JobState

INT64_MAX = 2**63 - 1
Instant = Annotated[int, Field(ge=0, le=INT64_MAX)]


class BadRecord(ValueError):
    """A text that is no job; the message is a phrase."""


class _StoredRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    config: str
    start: str
    end: str


class _StoredJob(BaseModel):
    model_config = ConfigDict(extra="forbid")

    job_id: str
    state: JobState
    request: _StoredRequest
    submitted_at_ns: Instant
    ended_at_ns: Instant
    error: str
    metrics: dict[str, float | None]


def text_of(job: Job) -> str:
    """The JSON of a job; an undefined metric is null."""
    metrics = {name: None if math.isnan(v) else v for name, v in job.metrics.items()}
    stored = _StoredJob(
        job_id=job.job_id,
        state=job.state,
        request=_StoredRequest(
            config=job.request.config, start=job.request.start, end=job.request.end
        ),
        submitted_at_ns=job.submitted_at_ns,
        ended_at_ns=job.ended_at_ns,
        error=job.error,
        metrics=metrics,
    )
    return stored.model_dump_json(indent=2) + "\n"


def job_of(text: bytes, job_id: str) -> Job:
    """The job of its JSON. One that ran is waiting: its process is gone. Raises BadRecord."""
    try:
        stored = _StoredJob.model_validate_json(text)
    except ValidationError as error:
        raise BadRecord(mistakes(error.errors())[0].told()) from None
    if stored.job_id != job_id:
        raise BadRecord(f"it is of job {stored.job_id!r}")
    request = BacktestRequest(stored.request.config, stored.request.start, stored.request.end)
    job = Job(job_id, request, stored.submitted_at_ns)
    match stored.state:
        case JobState.DONE:
            return job.done(_metrics(stored.metrics), stored.ended_at_ns)
        case JobState.FAILED:
            return job.failed(stored.error, stored.ended_at_ns)
    return job


def _metrics(stored: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in stored.items()}
