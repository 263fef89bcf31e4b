"""Jobs on disk: what is written comes back, whatever stood there before, for one service only."""

import json
import math
from pathlib import Path

import pytest

from stratvector.services.research.adapters.job_folders import JobFolders, NoResult
from stratvector.services.research.job import BacktestRequest, Job
from stratvector.services.research.job_ids import job_id_at, submitted_at_ns

NOW = 1_583_020_800_123_456_789
JOB = Job(job_id_at(NOW), BacktestRequest("system.yaml", "2020-03-01", ""), NOW)
METRICS = {"sharpe_ratio": 1.25, "alpha": math.nan}


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    made = JobFolders(tmp_path / "jobs")
    assert made.hold()
    return made


def a_run(folders: JobFolders, document: str) -> None:
    run = folders.begin(JOB.job_id) / "small-1"
    run.mkdir()
    (run / "result.json").write_text(document)


def test_an_id_is_its_time_and_sorts_by_it() -> None:
    assert JOB.job_id == "20200301-000000-123456789"
    assert submitted_at_ns(JOB.job_id) == NOW
    times = [NOW, NOW + 1, NOW + 10**9, NOW + 10**14, NOW + 10**17]
    assert sorted(map(job_id_at, times)) == list(map(job_id_at, times))
    for other in ("20200301-000000", "20201301-000000-000000000", ".new-20200301-000000-123456789"):
        assert submitted_at_ns(other) is None


@pytest.mark.parametrize(
    "job",
    [JOB, JOB.failed("prices.csv: no such file", NOW + 5), JOB.done({"trades": 2.0}, NOW + 5)],
    ids=lambda job: job.state,
)
def test_a_job_comes_back_as_it_was_recorded(folders: JobFolders, job: Job) -> None:
    folders.add(JOB)
    folders.record(job)
    assert folders.jobs() == [job]


def test_a_job_that_ran_comes_back_waiting(folders: JobFolders) -> None:
    folders.add(JOB)
    folders.record(JOB.running().told("replaying", 0.5))
    assert folders.jobs() == [JOB]


def test_an_undefined_metric_stays_undefined(folders: JobFolders) -> None:
    folders.add(JOB)
    folders.record(JOB.done(METRICS, NOW + 5))
    (found,) = folders.jobs()
    assert math.isnan(found.metrics["alpha"])
    assert found.metrics["sharpe_ratio"] == 1.25


def test_a_job_of_another_folder_is_not_believed(folders: JobFolders) -> None:
    folders.add(JOB)
    other = job_id_at(NOW + 1)
    folders.path(JOB.job_id).rename(folders.path(other))
    (found,) = folders.jobs()
    assert found.job_id == other
    assert found.error == (
        f"job.json can't be read: it is of job {JOB.job_id!r}; submit the backtest again"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON: EOF while parsing a value"),
        ("[]", "Input should be an object"),
        ("{}", "job_id: Field required"),
        ("\x00" * 300, "Invalid JSON: expected value"),
    ],
)
def test_a_record_that_is_no_job_is_a_failed_job(folders: JobFolders, text: str, why: str) -> None:
    folders.add(JOB)
    (folders.path(JOB.job_id) / "job.json").write_text(text)
    (found,) = folders.jobs()
    assert (found.state, found.submitted_at_ns) == ("failed", NOW)
    assert found.error.startswith(f"job.json can't be read: {why}")


def test_a_run_begins_without_what_an_earlier_one_left(folders: JobFolders) -> None:
    folders.add(JOB)
    a_run(folders, json.dumps({"metrics": {"trades": 1, "alpha": None}}))
    metrics = folders.keep_result(JOB.job_id)
    assert metrics["trades"] == 1.0
    assert math.isnan(metrics["alpha"])
    assert (folders.result_path(JOB.job_id) / "result.json").is_file()
    assert list(folders.begin(JOB.job_id).iterdir()) == []
    assert not folders.result_path(JOB.job_id).exists()


@pytest.mark.parametrize("document", ["", "{}", "[]", '{"metrics": {"trades": "many"}}'])
def test_a_result_that_cannot_be_read_is_none(folders: JobFolders, document: str) -> None:
    folders.add(JOB)
    a_run(folders, document)
    with pytest.raises(NoResult, match=r"the backtest's result\.json can't be read"):
        folders.keep_result(JOB.job_id)
    assert not folders.result_path(JOB.job_id).exists()


def test_a_run_that_left_nothing_has_no_result(folders: JobFolders) -> None:
    folders.add(JOB)
    folders.begin(JOB.job_id)
    with pytest.raises(NoResult, match="the backtest left 0 results; there must be one"):
        folders.keep_result(JOB.job_id)


def test_a_job_whose_folder_was_removed_is_recorded_again(folders: JobFolders) -> None:
    folders.add(JOB)
    (folders.path(JOB.job_id) / "job.json").unlink()
    folders.path(JOB.job_id).rmdir()
    ended = JOB.failed("its folder is gone", NOW + 5)
    folders.record(ended)
    assert folders.jobs() == [ended]


def test_a_submission_that_cannot_be_recorded_leaves_nothing(folders: JobFolders) -> None:
    folders.add(JOB)
    with pytest.raises(OSError, match=r"not empty|exists"):
        folders.add(JOB)
    assert [path.name for path in folders.folder.iterdir() if path.is_dir()] == [JOB.job_id]


def test_the_folder_is_held_by_one_at_a_time(folders: JobFolders) -> None:
    other = JobFolders(folders.folder)
    assert not other.hold()
    folders.release()
    assert other.hold()
    assert not folders.hold()


def test_a_probe_leaves_no_file(folders: JobFolders) -> None:
    folders.probe()
    assert [path.name for path in folders.folder.iterdir()] == [".lock"]
