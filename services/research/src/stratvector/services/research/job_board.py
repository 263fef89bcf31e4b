"""job_board: every job as it is now, whoever follows one, and the queue of those that wait.

Used by one event loop; `counts`, `trouble` and `followers` may be read by other threads.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable

from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job import BacktestRequest, Job, JobState
from stratvector.services.research.job_ids import job_id_at


class NotNow(RuntimeError):
    """The service can't answer for the moment; the message is one sentence."""


class QueueFull(RuntimeError):
    """As many jobs wait as may; the message is one sentence."""


class UnknownJob(LookupError):
    """There is no such job; the message is one sentence."""


class JobBoard:
    """Jobs by id, each recorded before it is shown.

    places : how many run at once. waiting_max : how many may wait beside them. kept_max : how many
    that have ended are kept. trouble : why no job can be recorded now, empty when all is well.
    """

    def __init__(self, folders: JobFolders, places: int, waiting_max: int, kept_max: int) -> None:
        self._folders = folders
        self._places, self._waiting_max, self._kept_max = places, waiting_max, kept_max
        self._jobs: dict[str, Job] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._newest_ns = 0
        self._closed = ""
        self.trouble = self._unread = "the jobs are not read yet"

    def load(self, jobs: Iterable[Job]) -> None:
        """What a start has found, the oldest first; those that wait keep their order."""
        for job in jobs:
            self._jobs[job.job_id] = job
            self._newest_ns = max(self._newest_ns, job.submitted_at_ns, job.ended_at_ns)
            if not job.state.is_end:
                self._queue.put_nowait(job.job_id)
        self.trouble = self._unread = ""

    def submit(self, request: BacktestRequest) -> Job:
        """Record a new job and let it wait. Raises NotNow, QueueFull."""
        self._check_open()
        unfinished = sum(not job.state.is_end for job in self._jobs.values())
        if unfinished >= self._places + self._waiting_max:
            raise QueueFull(
                f"{unfinished} jobs run or wait; jobs_waiting_max is {self._waiting_max}: "
                "submit again when one has ended"
            )
        now_ns = self.now_ns()
        job = Job(job_id_at(now_ns), request, now_ns)
        try:
            self._folders.add(job)
        except OSError as error:
            raise NotNow(unwritable(self._folders, error)) from error
        self.show(job)
        self._queue.put_nowait(job.job_id)
        return job

    def now_ns(self) -> int:
        """UTC ns, later than whatever is recorded of any job: a clock that is set back must not
        make what happens now the oldest.
        """
        self._newest_ns = max(time.time_ns(), self._newest_ns + 1)
        return self._newest_ns

    async def next(self) -> Job:
        """The job that has waited longest, waited for; nobody else gets it."""
        return self._jobs[await self._queue.get()]

    def job(self, job_id: str) -> Job:
        """A job as it is now. Raises NotNow, UnknownJob."""
        if self._unread:
            raise NotNow(self.trouble)
        if job_id not in self._jobs:
            rule = f"of those that have ended, the last {self._kept_max} are kept"
            raise UnknownJob(f"there is no job {job_id[:100]!r}; {rule}")
        return self._jobs[job_id]

    def newest(self, count_max: int) -> list[Job]:
        """The newest jobs, the newest first. Raises NotNow."""
        if self._unread:
            raise NotNow(self.trouble)
        return sorted(self._jobs.values(), key=lambda job: job.job_id, reverse=True)[:count_max]

    def too_many(self) -> list[Job]:
        """The ended jobs beyond those that are kept, the one that ended first at the front.

        One that is followed stays until its followers have learnt of its end.
        """
        ended = sorted(
            (job for job in self._jobs.values() if job.state.is_end),
            key=lambda job: (job.ended_at_ns, job.job_id),
        )
        beyond = ended[: max(0, len(ended) - self._kept_max)]
        return [job for job in beyond if job.job_id not in self._followers]

    def forget(self, job: Job) -> None:
        """An ended job was removed."""
        del self._jobs[job.job_id]

    def show(self, job: Job) -> None:
        """Put the job in its own place, and wake who follows it."""
        self._jobs[job.job_id] = job
        for changed in self._followers.get(job.job_id, ()):
            changed.set()

    async def follow(self, job_id: str) -> AsyncGenerator[Job, None]:
        """The job now and after changes, until it ends; a slow reader gets the newest.

        Raises NotNow, at the service's end too, and UnknownJob.
        """
        self.job(job_id)
        changed = asyncio.Event()
        followers = self._followers.setdefault(job_id, set())
        followers.add(changed)
        try:
            while True:
                changed.clear()
                job = self._jobs[job_id]
                yield job
                if job.state.is_end:
                    return
                if self._closed and self._jobs[job_id] is job:
                    raise NotNow(self._closed)
                await changed.wait()
        finally:
            followers.discard(changed)
            if not followers:
                self._followers.pop(job_id, None)

    def close(self) -> None:
        """The service stops: nothing new is taken, and who follows a job is sent away."""
        self._closed = "the service stops; its jobs go on when it has started again"
        for followers in self._followers.values():
            for changed in followers:
                changed.set()

    def counts(self) -> dict[JobState, int]:
        """How many jobs there are of each state."""
        found = Counter(job.state for job in tuple(self._jobs.values()))
        return {state: found[state] for state in JobState}

    def followers(self) -> int:
        """How many clients follow a job."""
        return sum(len(followers) for followers in tuple(self._followers.values()))

    def _check_open(self) -> None:
        if why := self._closed or self.trouble:
            raise NotNow(why)


def unwritable(folders: JobFolders, error: OSError) -> str:
    """The sentence for a results folder that takes nothing."""
    reason = (error.strerror or str(error)).lower()
    return f"results_folder {folders.folder} can't be written: {reason}"
