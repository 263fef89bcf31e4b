"""Whatever ends the service, its jobs go on at the next start and leave one result each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest

from services.research.tests.conftest import until
from stratvector.contracts.v1 import research_service_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path

    from services.research.tests.conftest import Place


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def recorded_state(folder: Path) -> str:
    return str(json.loads((folder / "job.json").read_text())["state"])


def test_a_service_killed_in_the_middle_of_a_job_completes_it_at_the_next_start(
    place: Place,
) -> None:
    running = place.serve()
    first, second = running.submit(), running.submit(end="2020-05-31")
    child = running.held(first.job_id)
    running.process.kill()
    until(lambda: is_gone(child))
    folder = place.jobs / first.job_id
    assert recorded_state(folder) == "running"
    assert (folder / "draft").is_dir()

    running = place.serve("again")
    one, two = (running.followed(job.job_id)[-1] for job in (first, second))
    assert (one.state, two.state) == (pb.JOB_STATE_DONE, pb.JOB_STATE_DONE)
    assert one.ended_at_ns < two.ended_at_ns
    assert sorted(path.name for path in folder.iterdir()) == ["job.json", "job.log", "result"]
    assert [job.job_id for job in running.jobs()] == [second.job_id, first.job_id]


def test_a_drain_ends_the_running_job_and_gives_it_back_to_the_queue(place: Place) -> None:
    running = place.serve()
    job = running.submit()
    child = running.held(job.job_id)
    stream = running.stub.StreamProgress(pb.StreamProgressRequest(job_id=job.job_id))
    next(iter(stream))
    assert running.process.stop() == 0
    assert running.process.events("left_behind") == []
    assert is_gone(child)
    with pytest.raises(grpc.RpcError) as sent_away:
        list(stream)
    assert sent_away.value.code() is grpc.StatusCode.UNAVAILABLE
    folder = place.jobs / job.job_id
    assert recorded_state(folder) == "queued"
    assert not (folder / "draft").exists()

    running = place.serve("again")
    assert running.followed(job.job_id)[-1].state == pb.JOB_STATE_DONE


def test_ended_jobs_stay_and_wreckage_is_told_or_removed(place: Place) -> None:
    running = place.serve()
    (place.folder / "prices.csv").unlink()
    failed = running.followed(running.submit().job_id)[-1]
    assert running.process.stop() == 0
    corrupt = place.jobs / "20200101-000000-000000001"
    empty = place.jobs / "20200101-000000-000000002"
    unanswered = place.jobs / ".new-20200101-000000-000000003"
    for folder in (corrupt, empty, unanswered):
        folder.mkdir()
    (corrupt / "job.json").write_text('{"job_id": ')

    running = place.serve("again")
    kept, lost, damaged = running.jobs()
    assert kept == failed
    assert (lost.job_id, damaged.job_id) == (empty.name, corrupt.name)
    assert (lost.state, damaged.state) == (pb.JOB_STATE_FAILED, pb.JOB_STATE_FAILED)
    assert lost.error == (
        "job.json can't be read: no such file or directory; submit the backtest again"
    )
    assert damaged.error.startswith("job.json can't be read: Invalid JSON: EOF while parsing")
    assert (corrupt / "job.json").read_text() == '{"job_id": '
    assert not unanswered.exists()


def test_a_results_folder_that_cannot_be_written_is_told_until_it_can(place: Place) -> None:
    place.jobs.write_text("a file")
    running = place.prepare()
    place.stack.enter_context(running.process)
    running.connect()
    sentence = f"results_folder {place.jobs} can't be written: file exists"
    until(lambda: running.process.readiness()["reason"] == sentence)
    assert not running.process.readiness()["ready"]
    with pytest.raises(grpc.RpcError) as refused:
        running.submit()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.value.details() == sentence
    place.jobs.unlink()
    running.until_ready()
    assert running.jobs() == []


def test_a_second_service_waits_for_the_folder(place: Place) -> None:
    first = place.serve()
    second = place.prepare("second")
    place.stack.enter_context(second.process)
    held = "is held by another research service; each needs its own"
    sentence = f"results_folder {place.jobs} {held}"
    until(lambda: second.process.readiness()["reason"] == sentence)
    assert first.process.stop() == 0
    second.until_ready()
