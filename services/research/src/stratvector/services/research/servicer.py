"""servicer: gRPC: decode, one question to the board, encode."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from stratvector.contracts.v1 import research_service_pb2 as pb
from stratvector.contracts.v1.research_service_pb2_grpc import (
    ResearchServiceServicer,
    add_ResearchServiceServicer_to_server,
)
from stratvector.runtime.host import Servicer
from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job import Job, JobState
from stratvector.services.research.job_board import JobBoard, NotNow, QueueFull, UnknownJob
from stratvector.services.research.submission import BadSubmission, checked_request

NAME: str = pb.DESCRIPTOR.services_by_name["ResearchService"].full_name
LISTED_MAX = 1000  # some 2 kB each; a gRPC message holds 4 MB
Context = grpc.aio.ServicerContext[Any, Any]
CODES: dict[type[Exception], grpc.StatusCode] = {
    BadSubmission: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownJob: grpc.StatusCode.NOT_FOUND,
    QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotNow: grpc.StatusCode.UNAVAILABLE,
}

STATES = {
    JobState.QUEUED: pb.JOB_STATE_QUEUED,
    JobState.RUNNING: pb.JOB_STATE_RUNNING,
    JobState.DONE: pb.JOB_STATE_DONE,
    JobState.FAILED: pb.JOB_STATE_FAILED,
}


class ResearchAnswers(ResearchServiceServicer):
    """Answers from the board; configurations are read on a thread."""

    def __init__(self, board: JobBoard, folders: JobFolders, config_folder: Path) -> None:
        self._board, self._folders, self._config_folder = board, folders, config_folder

    async def SubmitBacktest(  # noqa: N802  the proto's name
        self, request: pb.SubmitBacktestRequest, context: Context
    ) -> pb.SubmitBacktestResponse:
        """A job, recorded before the answer."""
        asked = (request.config, request.start, request.end)
        async with _refusals(context):
            checked = await asyncio.to_thread(checked_request, *asked, self._config_folder)
            return pb.SubmitBacktestResponse(job=self._message(self._board.submit(checked)))

    async def GetJob(  # noqa: N802  the proto's name
        self, request: pb.GetJobRequest, context: Context
    ) -> pb.GetJobResponse:
        """A job as it is now."""
        async with _refusals(context):
            return pb.GetJobResponse(job=self._message(self._board.job(request.job_id)))

    async def ListJobs(  # noqa: N802  the proto's name
        self, request: pb.ListJobsRequest, context: Context
    ) -> pb.ListJobsResponse:
        """The newest jobs, the newest first."""
        async with _refusals(context):
            jobs = self._board.newest(LISTED_MAX)
            return pb.ListJobsResponse(jobs=map(self._message, jobs))

    async def StreamProgress(  # noqa: N802  the proto's name
        self, request: pb.StreamProgressRequest, context: Context
    ) -> AsyncIterator[pb.StreamProgressResponse]:
        """A job now and after each change, until it ends."""
        async with _refusals(context), aclosing(self._board.follow(request.job_id)) as jobs:
            async for job in jobs:
                yield pb.StreamProgressResponse(job=self._message(job))

    def _message(self, job: Job) -> pb.Job:
        results = self._folders.result_path(job.job_id) if job.state is JobState.DONE else ""
        return _job_message(job, str(results))


def research_servicer(board: JobBoard, folders: JobFolders, config_folder: Path) -> Servicer:
    """What the research process answers."""
    answers = ResearchAnswers(board, folders, config_folder)
    return Servicer(NAME, lambda server: add_ResearchServiceServicer_to_server(answers, server))


def _job_message(job: Job, results: str) -> pb.Job:
    """The message of a job. results : the folder of its result, "" while there is none."""
    request = pb.SubmitBacktestRequest(
        config=job.request.config, start=job.request.start, end=job.request.end
    )
    return pb.Job(
        job_id=job.job_id,
        state=STATES[job.state],
        request=request,
        submitted_at_ns=job.submitted_at_ns,
        ended_at_ns=job.ended_at_ns,
        progress=job.progress,
        phase=job.phase,
        error=job.error,
        results=results,
        metrics=[pb.Metric(name=n, value=v) for n, v in sorted(job.metrics.items())],
    )


@asynccontextmanager
async def _refusals(context: Context) -> AsyncIterator[None]:
    """A question that has no answer ends the call with a status and a sentence."""
    try:
        yield
    except (BadSubmission, UnknownJob, QueueFull, NotNow) as error:
        await context.abort(CODES[type(error)], str(error))
