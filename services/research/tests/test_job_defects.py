"""A defect while one job runs fails that job, and stops neither the service nor the next one."""

import asyncio
from pathlib import Path

import pytest

from stratvector.services.research.adapters.job_folders import JobFolders
from stratvector.services.research.job import BacktestRequest, JobState
from stratvector.services.research.job_board import JobBoard
from stratvector.services.research.research import Research


class BrokenFolders(JobFolders):
    """A folder in which no job's run can begin, for no reason that anybody thought of."""

    def begin(self, job_id: str) -> Path:
        raise RuntimeError(f"nobody thought of {job_id}")


def test_a_defect_fails_its_job_and_the_next_one_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "system.yaml").touch()
    folders = BrokenFolders(tmp_path / "jobs")
    board = JobBoard(folders, places=1, waiting_max=5, kept_max=5)
    research = Research(board, folders, tmp_path / "config", 60.0, lambda seconds: None)

    async def run() -> None:
        working = asyncio.create_task(research.run(1))
        while not folders.folder.is_dir() or board.trouble:
            await asyncio.sleep(0.01)
        jobs = [board.submit(BacktestRequest("system.yaml")) for _ in range(2)]
        for job in jobs:
            while board.job(job.job_id).state is not JobState.FAILED:
                assert not working.done()
                await asyncio.sleep(0.01)
            told = "the service met a defect; its log has the details"
            assert board.job(job.job_id).error == told
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(run())
    assert "job_defect" in capsys.readouterr().out
