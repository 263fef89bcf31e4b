"""Jobs of a real service: their results are the command's, their ends are told."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from stratvector.contracts.v1 import research_service_pb2 as pb

if TYPE_CHECKING:
    from services.research.tests.conftest import Place

NAMES = ["equity.parquet", "fills.parquet", "orders.parquet", "result.json"]
RANGE = {"start": "2020-03-01", "end": "2020-05-31"}


def commanded(*options: str) -> subprocess.CompletedProcess[str]:
    """`stratvector backtest run`, by hand."""
    command = [sys.executable, "-m", "stratvector.cli", "backtest", "run", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_jobs_result_is_the_commands_to_the_byte(place: Place) -> None:
    running = place.serve()
    changes = running.followed(running.submit(**RANGE).job_id)
    done = changes[-1]
    assert (done.state, done.error) == (pb.JOB_STATE_DONE, "")

    run = commanded("--start", RANGE["start"], "--end", RANGE["end"], "--json", "--out", "by_hand")
    expected = json.loads(run.stdout)
    assert expected["fills"] > 0
    metrics = {m.name: None if math.isnan(m.value) else m.value for m in done.metrics}
    assert metrics == expected["metrics"]
    assert list(metrics) == sorted(metrics)
    folder = Path(done.results)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        assert (folder / name).read_bytes() == Path(expected["results"], name).read_bytes()

    progress = [change.progress for change in changes]
    assert progress == sorted(progress)
    assert [change.progress == 1.0 for change in changes] == [False] * (len(changes) - 1) + [True]
    phases = [change.phase for change in changes]
    assert {"loading bars", "replaying 2020-06-01", "writing results"} <= set(phases)
    assert done.submitted_at_ns < done.ended_at_ns
    assert running.job(done.job_id) == done
    assert running.followed(done.job_id) == [done]
    assert running.metric('stratvector_research_jobs{state="done"}') == 1
    assert running.metric("stratvector_research_job_seconds_count") == 1
    assert sorted(p.name for p in (place.jobs / done.job_id).iterdir()) == [
        "job.json",
        "job.log",
        "result",
    ]


def test_a_job_that_fails_tells_the_sentence_of_the_command(place: Place) -> None:
    running = place.serve()
    (place.folder / "prices.csv").unlink()
    failed = running.followed(running.submit().job_id)[-1]
    said = commanded().stderr.strip().splitlines()[-1]
    assert (failed.state, failed.results) == (pb.JOB_STATE_FAILED, "")
    assert f"stratvector: {failed.error}" == said
    assert "prices.csv" in failed.error
    assert failed.progress < 1.0
    assert running.process.readiness()["ready"]


def test_jobs_run_in_order_and_a_full_queue_refuses_one_more(place: Place) -> None:
    running = place.serve(jobs_waiting_max=1)
    first = running.submit(**RANGE)
    process = running.held(first.job_id)
    second = running.submit(**RANGE)
    with pytest.raises(grpc.RpcError) as full:
        running.submit(**RANGE)
    assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert full.value.details() == (
        "2 jobs run or wait; jobs_waiting_max is 1: submit again when one has ended"
    )
    states = [(job.job_id, job.state) for job in running.jobs()]
    assert states == [
        (second.job_id, pb.JOB_STATE_QUEUED),
        (first.job_id, pb.JOB_STATE_RUNNING),
    ]
    process.resume()
    one, two = (running.followed(job.job_id)[-1] for job in (first, second))
    assert (one.state, two.state) == (pb.JOB_STATE_DONE, pb.JOB_STATE_DONE)
    assert one.ended_at_ns < two.ended_at_ns
    assert one.metrics == two.metrics


def test_a_job_that_takes_too_long_is_ended_with_a_sentence(place: Place) -> None:
    running = place.serve(job_seconds_max=0.2)
    failed = running.followed(running.submit().job_id)[-1]
    assert failed.error == "the backtest took too long and was ended: job_seconds_max is 0.2"
    assert running.children() == []
    assert not (place.jobs / failed.job_id / "draft").exists()


def test_a_job_whose_process_is_killed_says_by_what(place: Place) -> None:
    running = place.serve()
    job = running.submit()
    running.held(job.job_id).kill()
    failed = running.followed(job.job_id)[-1]
    assert failed.error == "the backtest's process was ended by SIGKILL"


def test_a_client_that_leaves_frees_its_call(place: Place) -> None:
    from services.research.tests.conftest import until

    running = place.serve()
    job = running.submit()
    running.held(job.job_id)
    stream = running.stub.StreamProgress(pb.StreamProgressRequest(job_id=job.job_id))
    next(iter(stream))
    assert running.metric("stratvector_research_followers") == 1
    stream.cancel()
    until(lambda: running.metric("stratvector_research_followers") == 0)


def test_what_is_asked_wrongly_is_refused_in_a_sentence(place: Place) -> None:
    running = place.serve()
    for question in (running.job, running.followed):
        with pytest.raises(grpc.RpcError) as refused:
            question("20200101-000000-000000000")
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert refused.value.details() == (
            "there is no job '20200101-000000-000000000'; "
            "of those that have ended, the last 200 are kept"
        )
    with pytest.raises(grpc.RpcError) as refused:
        running.submit(config="../system.yaml")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == (
        "config is '../system.yaml'; it must be a path below the config folder, without .."
    )
    assert running.jobs() == []
    assert [p.name for p in place.jobs.iterdir() if p.is_dir()] == []
