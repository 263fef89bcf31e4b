"""Ended jobs beyond those that are kept are removed, the one that ended first at the front."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from services.research.tests.conftest import until
from stratvector.contracts.v1 import research_service_pb2 as pb
from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job import BacktestRequest, Job
from stratvector.services.research.job_board import JobBoard, UnknownJob
from stratvector.services.research.job_ids import job_id_at

if TYPE_CHECKING:
    from pathlib import Path

    from services.research.tests.conftest import Place

NOW = 1_583_020_800_000_000_000
DAY_NS = 86_400 * 10**9
JOBS = [Job(job_id_at(NOW + n), BacktestRequest("system.yaml"), NOW + n) for n in range(4)]
IDS = [job.job_id for job in JOBS]


def recorded_ends(folder: Path, jobs: list[Job] = JOBS) -> None:
    """Four jobs of an earlier service, which ended in the order of their submission."""
    folders = JobFolders(folder)
    assert folders.hold()
    for number, job in enumerate(jobs):
        folders.add(job)
        folders.record(job.failed("prices.csv: no such file", job.submitted_at_ns + 10 + number))
    folders.release()


def folders_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_a_job_that_was_removed_is_unlisted_unknown_and_off_the_disk(place: Place) -> None:
    recorded_ends(place.jobs)
    (place.folder / "prices.csv").unlink()
    running = place.serve(jobs_kept_max=2)
    until(lambda: folders_in(place.jobs) == IDS[2:])
    assert [job.job_id for job in running.jobs()] == [IDS[3], IDS[2]]

    newest = running.followed(running.submit().job_id)[-1].job_id
    until(lambda: folders_in(place.jobs) == [IDS[3], newest])
    assert [job.job_id for job in running.jobs()] == [newest, IDS[3]]
    for question in (running.job, running.followed):
        with pytest.raises(grpc.RpcError) as refused:
            question(IDS[2])
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert refused.value.details() == (
            f"there is no job '{IDS[2]}'; of those that have ended, the last 2 are kept"
        )
    assert running.metric('stratvector_research_jobs{state="failed"}') == 2


def test_jobs_that_run_or_wait_are_never_removed(place: Place) -> None:
    recorded_ends(place.jobs)
    for number in range(2):
        (place.jobs / IDS[number] / "job.json").unlink()
        (place.jobs / IDS[number]).rmdir()
    running = place.serve(jobs_kept_max=1)
    first, second, third = (running.submit().job_id for _ in range(3))
    process = running.held(first)
    until(lambda: folders_in(place.jobs) == [IDS[3], first, second, third])
    process.resume()
    assert running.followed(third)[-1].state == pb.JOB_STATE_DONE
    until(lambda: folders_in(place.jobs) == [third])
    assert (place.jobs / third / "result" / "result.json").is_file()


def test_a_clock_that_was_set_back_does_not_make_the_newest_end_the_first(place: Place) -> None:
    ahead = time.time_ns() + DAY_NS
    jobs = [Job(job_id_at(ahead + n), job.request, ahead + n) for n, job in enumerate(JOBS)]
    recorded_ends(place.jobs, jobs)
    (place.folder / "prices.csv").unlink()
    running = place.serve(jobs_kept_max=2)
    newest = running.followed(running.submit().job_id)[-1].job_id
    until(lambda: len(folders_in(place.jobs)) == 2)
    assert folders_in(place.jobs) == [jobs[3].job_id, newest]


def test_what_a_crash_left_of_a_removed_job_is_no_job_and_is_deleted(place: Place) -> None:
    recorded_ends(place.jobs)
    JobFolders(place.jobs).retire(IDS[0])
    assert [job.job_id for job in JobFolders(place.jobs).jobs()] == IDS[1:]
    half = place.jobs / ".old-20200101-000000-000000001"
    half.mkdir()
    (half / "job.log").touch()

    running = place.serve()
    assert [job.job_id for job in running.jobs()] == IDS[:0:-1]
    until(lambda: folders_in(place.jobs) == IDS[1:])


def test_what_cannot_be_deleted_is_told_once_and_stops_nothing(place: Place) -> None:
    recorded_ends(place.jobs)
    (place.jobs / ".old-0").write_text("a file, which is no folder of a job")
    running = place.serve(jobs_kept_max=3)
    until(lambda: folders_in(place.jobs) == IDS[1:])
    (told,) = running.process.events("job_not_removed")
    assert "Not a directory" in told["error"]
    assert running.process.readiness()["ready"]


def test_one_that_cannot_be_removed_keeps_no_other(place: Place) -> None:
    recorded_ends(place.jobs)
    (place.jobs / f".old-{IDS[0]}").write_text("a file in the way")
    place.serve(jobs_kept_max=2)
    until(lambda: folders_in(place.jobs) == [IDS[0], *IDS[2:]])


def test_a_job_that_was_deleted_by_hand_is_forgotten(tmp_path: Path) -> None:
    folders = JobFolders(tmp_path)
    board = JobBoard(folders, places=1, waiting_max=1, kept_max=1)
    board.load([job.failed("no", NOW + 10) for job in JOBS[:2]])
    for job in board.too_many():
        folders.retire(job.job_id)
        board.forget(job)
    assert [job.job_id for job in board.newest(10)] == [IDS[1]]
    with pytest.raises(UnknownJob, match="the last 1 are kept"):
        board.job(IDS[0])


def test_the_first_to_end_goes_first_whenever_it_was_submitted(tmp_path: Path) -> None:
    board = JobBoard(JobFolders(tmp_path), places=2, waiting_max=1, kept_max=1)
    ends = [30, 10, 20]
    jobs = [job.failed("no", NOW + end) for job, end in zip(JOBS, ends, strict=False)]
    board.load([*jobs, JOBS[3]])
    assert board.too_many() == [jobs[1], jobs[2]]


def test_a_job_that_is_followed_stays_until_its_end_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        board = JobBoard(JobFolders(tmp_path), places=2, waiting_max=1, kept_max=1)
        board.load(JOBS[:2])
        follower = board.follow(IDS[0])
        assert await anext(follower) == JOBS[0]
        first, second = (job.failed("no", NOW + 10) for job in JOBS[:2])
        board.show(first)
        board.show(second)
        assert board.too_many() == []
        assert [change async for change in follower] == [first]
        assert board.too_many() == [first]

    asyncio.run(run())
