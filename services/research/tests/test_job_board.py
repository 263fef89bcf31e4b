"""The board: times that never repeat, a bounded queue, followers that see the end."""

import asyncio
from pathlib import Path

import pytest

from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job import BacktestRequest, JobState
from stratvector.services.research.job_board import JobBoard, NotNow, QueueFull, UnknownJob

REQUEST = BacktestRequest("system.yaml")


def new_board(folder: Path, places: int = 1, waiting_max: int = 10, kept_max: int = 10) -> JobBoard:
    """A board that has read its folder."""
    folders = JobFolders(folder / "jobs")
    assert folders.hold()
    board = JobBoard(folders, places, waiting_max, kept_max)
    board.load(folders.jobs())
    return board


def test_jobs_are_taken_in_the_order_of_their_submission(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        submitted = [board.submit(REQUEST) for _ in range(5)]
        assert [await board.next() for _ in submitted] == submitted
        times = [job.submitted_at_ns for job in submitted]
        assert times == sorted(set(times))
        assert board.newest(3) == submitted[:1:-1]

    asyncio.run(run())


def test_a_clock_that_was_set_back_does_not_mix_the_order(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        first = board.submit(REQUEST)
        ahead = JobBoard(JobFolders(tmp_path / "jobs"), 1, 10, 10)
        far = first.submitted_at_ns + 3600 * 10**9
        ahead.load([type(first)("20990101-000000-000000000", REQUEST, far)])
        assert ahead.submit(REQUEST).submitted_at_ns == far + 1

    asyncio.run(run())


def test_places_and_the_queue_bound_what_is_not_ended(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path, places=2, waiting_max=1)
        jobs = [board.submit(REQUEST) for _ in range(3)]
        with pytest.raises(QueueFull, match="3 jobs run or wait; jobs_waiting_max is 1"):
            board.submit(REQUEST)
        board.show(jobs[0].failed("no", 1))
        board.submit(REQUEST)
        assert board.counts()[JobState.QUEUED] == 3
        assert board.counts()[JobState.FAILED] == 1

    asyncio.run(run())


def test_a_slow_follower_gets_the_newest_and_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        job = board.submit(REQUEST)
        follower = board.follow(job.job_id)
        assert await anext(follower) == job
        for share in (0.1, 0.2, 0.3):
            board.show(job.running().told("replaying", share))
        assert (await anext(follower)).progress == 0.3
        done = job.done({}, 1)
        board.show(done)
        assert [change async for change in follower] == [done]
        assert board.followers() == 0

    asyncio.run(run())


def test_a_closed_board_takes_nothing_and_sends_its_followers_away(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        job = board.submit(REQUEST)
        follower = board.follow(job.job_id)
        await anext(follower)
        board.close()
        with pytest.raises(NotNow, match="the service stops"):
            await anext(follower)
        with pytest.raises(NotNow, match="the service stops"):
            board.submit(REQUEST)
        assert board.followers() == 0

    asyncio.run(run())


def test_a_follower_learns_of_an_end_just_before_the_close(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        job = board.submit(REQUEST)
        follower = board.follow(job.job_id)
        await anext(follower)
        done = job.done({}, 1)
        board.show(done)
        board.close()
        assert [change async for change in follower] == [done]

    asyncio.run(run())


def test_before_the_folder_is_read_nothing_is_known_to_be_missing(tmp_path: Path) -> None:
    async def run() -> None:
        board = JobBoard(JobFolders(tmp_path), 1, 1, 1)
        for question in (lambda: board.job("x"), lambda: board.newest(1)):
            with pytest.raises(NotNow, match="the jobs are not read yet"):
                question()
        board.load([])
        with pytest.raises(UnknownJob, match="there is no job 'x'"):
            board.job("x")

    asyncio.run(run())


def test_a_job_that_cannot_be_recorded_is_not_taken(tmp_path: Path) -> None:
    async def run() -> None:
        board = new_board(tmp_path)
        (tmp_path / "jobs" / ".lock").unlink()
        (tmp_path / "jobs").rmdir()
        with pytest.raises(NotNow, match="can't be written: no such file or directory"):
            board.submit(REQUEST)
        assert board.newest(10) == []

    asyncio.run(run())
