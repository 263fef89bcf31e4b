"""research: jobs one after the other, each recorded at every step, whatever ends the service.

A job that was cut off begins anew at the next start: it is a function of its request.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stratvector.runtime.process.logs import logger
from stratvector.services.research.adapters.backtest_process import BacktestFailed, run_backtest
from stratvector.services.research.adapters.job_folders import JobFolders, NoResult
from stratvector.services.research.adapters.job_log import JobLog
from stratvector.services.research.job import Job
from stratvector.services.research.job_board import JobBoard, unwritable
from stratvector.services.research.old_jobs import remove_old_jobs
from stratvector.services.research.submission import BadSubmission, config_path

LOOK_SECONDS = 2.0


class Research:
    """The service's work, from opening its folder to leaving it.

    observe : takes the seconds of each run that ended by itself.
    """

    def __init__(
        self,
        board: JobBoard,
        folders: JobFolders,
        config_folder: Path,
        job_seconds_max: float,
        observe: Callable[[float], None],
    ) -> None:
        self._board, self._folders = board, folders
        self._config_folder, self._job_seconds_max = config_folder, job_seconds_max
        self._observe = observe

    async def run(self, places: int) -> None:
        """Read the jobs and run those that wait, so many at once; never ends by itself."""
        try:
            await self._open()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_folder(), name="watch the results folder")
                group.create_task(
                    remove_old_jobs(self._board, self._folders), name="remove old jobs"
                )
                for place in range(places):
                    group.create_task(self._work(), name=f"place {place}")
        finally:
            self._board.close()
            self._folders.release()

    async def _open(self) -> None:
        while True:
            try:
                if self._folders.hold():
                    self._folders.probe()
                    self._board.load(self._folders.jobs())
                    return
                held = "is held by another research service; each needs its own"
                self._board.trouble = f"results_folder {self._folders.folder} {held}"
            except OSError as error:
                self._board.trouble = unwritable(self._folders, error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _watch_folder(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.to_thread(self._folders.probe)
                self._board.trouble = ""
            except OSError as error:
                self._board.trouble = unwritable(self._folders, error)

    async def _work(self) -> None:
        while True:
            job = await self._board.next()
            try:
                await self._record(job.running())
                await self._record(await self._ended(job))
            except asyncio.CancelledError:
                self._give_back(job)
                raise

    async def _ended(self, job: Job) -> Job:
        """The job after its run."""
        began_at = time.monotonic()
        try:
            ended = job.done(await self._backtest(job), self._board.now_ns())
        except (BacktestFailed, NoResult, BadSubmission) as error:
            ended = self._failed(job, str(error))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            where = f"{error.filename}: " if error.filename else ""
            ended = self._failed(job, f"{where}{reason}")
        except Exception:  # noqa: BLE001 - one job's defect must not stop the others
            logger().error("job_defect", job_id=job.job_id, exc_info=True)
            ended = self._failed(job, "the service met a defect; its log has the details")
        finally:
            with suppress(OSError):
                self._folders.end(job.job_id)
        self._observe(time.monotonic() - began_at)
        return ended

    async def _backtest(self, job: Job) -> dict[str, float]:
        def report(phase: str, progress: float) -> None:
            self._board.show(self._board.job(job.job_id).told(phase, progress))

        config = config_path(self._config_folder, job.request.config)
        out = self._folders.begin(job.job_id)
        with JobLog(self._folders.log_path(job.job_id), report) as log:
            await run_backtest(job.request, config, out, log, self._job_seconds_max)
        return await asyncio.to_thread(self._folders.keep_result, job.job_id)

    async def _record(self, job: Job) -> None:
        """On disk first, however long the disk refuses; then for everybody to see."""
        while True:
            try:
                self._folders.record(job)
            except OSError as error:
                self._board.trouble = unwritable(self._folders, error)
                await asyncio.sleep(LOOK_SECONDS)
            else:
                self._board.show(job)
                logger().info("job", job_id=job.job_id, state=job.state, error=job.error)
                return

    def _give_back(self, job: Job) -> None:
        """The service stops: the job waits for the next start, told on disk if that can be."""
        waiting = job.waiting()
        with suppress(OSError):
            self._folders.record(waiting)
        self._board.show(waiting)

    def _failed(self, job: Job, sentence: str) -> Job:
        return self._board.job(job.job_id).failed(sentence, self._board.now_ns())
