"""old_jobs: ended jobs beyond those that are kept are removed, beside the work."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from stratvector.runtime.process.logs import logger
from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job_board import JobBoard

LOOK_SECONDS = 2.0


async def remove_old_jobs(board: JobBoard, folders: JobFolders) -> None:
    """Now and every two seconds; what can't be removed is tried again. Never ends by itself."""
    told: set[str] = set()
    while True:
        await _retire(board, folders, told)
        with _told_once(told):
            for folder in folders.retired():
                with _told_once(told):
                    await asyncio.to_thread(shutil.rmtree, folder)
        await asyncio.sleep(LOOK_SECONDS)


async def _retire(board: JobBoard, folders: JobFolders, told: set[str]) -> None:
    for job in board.too_many():
        # One that can't be removed must not keep the others.
        with _told_once(told):
            folders.retire(job.job_id)
            board.forget(job)
            logger().info("job_removed", job_id=job.job_id)
        # A lowered limit may retire thousands: those who ask meanwhile are answered.
        await asyncio.sleep(0)


@contextmanager
def _told_once(told: set[str]) -> Iterator[None]:
    """A disk that refuses must not stop the jobs."""
    try:
        yield
    except OSError as error:
        if (why := str(error)) not in told:
            told.add(why)
            logger().warning("job_not_removed", error=why)
