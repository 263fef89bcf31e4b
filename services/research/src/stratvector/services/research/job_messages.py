"""job_messages: a job as the proto's message."""

from stratvector.contracts.v1 import research_service_pb2 as pb
from stratvector.services.research.job import Job, JobState

STATES = {
    JobState.QUEUED: pb.JOB_STATE_QUEUED,
    JobState.RUNNING: pb.JOB_STATE_RUNNING,
    JobState.DONE: pb.JOB_STATE_DONE,
    JobState.FAILED: pb.JOB_STATE_FAILED,
}


def job_message(job: Job, results: str) -> pb.Job:
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
