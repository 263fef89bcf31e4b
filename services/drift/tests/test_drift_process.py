"""Drift as a process on a real nats-server: the scores of the log, over gRPC and HTTP."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from stratvector.contracts.v1 import drift_service_pb2 as pb
from stratvector.drift import DriftRules, ModelDrift
from stratvector.services.drift.servicer import model_message
from tests.processes.service_process import ServiceProcess
from tests.sessions.drift_stage import (
    FIRST,
    LAST,
    RULES,
    SESSION,
    DriftStage,
    ask,
    expected_checks,
    until,
)

MODELS = SESSION.portfolio.model_names
MAIN_LINES_MAX = 30
MAIN = Path(__file__).parents[1] / "src/stratvector/services/drift/__main__.py"


@pytest.fixture(scope="module")
def checks() -> dict[str, list[ModelDrift]]:
    found = expected_checks(SESSION, RULES)
    assert all(not math.isnan(one[-1].score) for one in found.values())
    assert any(math.isnan(one[0].score) for one in found.values())
    return found


@pytest.fixture(scope="module")
def process(stage: DriftStage) -> Iterator[ServiceProcess]:
    """One that has read the whole session."""
    with stage.process("reader") as started:
        started.until_state("finished")
        yield started
        assert started.stop() == 0


def scores(process: ServiceProcess, model: str = "") -> pb.GetScoresResponse:
    found: pb.GetScoresResponse = ask(
        process, lambda stub: stub.GetScores(pb.GetScoresRequest(model=model))
    )
    return found


def found(process: ServiceProcess, expected: pb.GetScoresResponse) -> bool:
    """Whether a process has read so far that it answers with these scores."""
    try:
        return as_bytes(scores(process)) == as_bytes(expected)
    except grpc.RpcError:
        return False  # it has not found its portfolio yet


def as_bytes(message: pb.GetScoresResponse) -> bytes:
    return message.SerializeToString(deterministic=True)


def newest(checks: dict[str, list[ModelDrift]]) -> pb.GetScoresResponse:
    newest = (checks[name][-1] for name in MODELS)
    return pb.GetScoresResponse(models=[model_message(one, DriftRules()) for one in newest])


def test_the_scores_are_those_of_the_log_to_the_bit(
    process: ServiceProcess, checks: dict[str, list[ModelDrift]]
) -> None:
    assert as_bytes(scores(process)) == as_bytes(newest(checks))
    one = scores(process, MODELS[1])
    assert [drift.model for drift in one.models] == [MODELS[1]]


def test_a_model_that_the_session_does_not_have_is_not_found(process: ServiceProcess) -> None:
    questions: list[Callable[[Any], Any]] = [
        lambda stub: stub.GetScores(pb.GetScoresRequest(model="other")),
        lambda stub: stub.RunCheck(pb.RunCheckRequest(model="other")),
    ]
    for question in questions:
        with pytest.raises(grpc.RpcError, match="there is no model 'other' in this s") as refused:
            ask(process, question)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_check_by_hand_is_of_the_newest_close_and_leaves_the_schedules_alone(
    process: ServiceProcess,
) -> None:
    before = as_bytes(scores(process))
    found = ask(process, lambda stub: stub.RunCheck(pb.RunCheckRequest()))
    newest_closes = [
        int(SESSION.schedule.closes_of(model.universe)[-1]) for model in SESSION.portfolio.models
    ]
    assert [drift.close_time_ns for drift in found.models] == newest_closes
    assert as_bytes(scores(process)) == before


def test_metrics_tell_every_models_score_and_how_many_checks_there_were(
    process: ServiceProcess, checks: dict[str, list[ModelDrift]]
) -> None:
    _, text = process.get("/metrics")
    told = dict(
        re.findall(
            r'^strategy_drift_score\{model="(\w+)",portfolio="generated",run="replay.1"\} (\S+)$',
            text,
            re.M,
        )
    )
    assert {model: float(score) for model, score in told.items()} == {
        model: found[-1].score for model, found in checks.items()
    }
    count = re.search(r"^stratvector_strategy_drift_checks_total\{.*\} (\S+)$", text, re.M)
    assert count is not None
    assert float(count[1]) == sum(map(len, checks.values()))


def test_the_report_shows_each_model(
    process: ServiceProcess, checks: dict[str, list[ModelDrift]]
) -> None:
    status, page = process.get("/")
    assert status == 200
    for model in MODELS:
        name = model.replace("_", "_<wbr>")
        assert f"<h3>{name} {checks[model][-1].score:.2f} " in page
        assert f'<section id="replay.1.generated.{model}">' in page
    (document,) = json.loads(process.get("/report.json")[1])["portfolios"]
    assert [one["model"] for one in document["models"]] == list(MODELS)
    assert [one["score"] for one in document["models"]] == [
        checks[model][-1].score for model in MODELS
    ]
    histories = [[score for _, score in one["history"]] for one in document["models"]]
    assert histories == [
        [None if math.isnan(one.score) else one.score for one in checks[model]] for model in MODELS
    ]


def test_a_process_that_is_killed_finds_the_same_scores_when_it_starts_again(
    empty_stage: DriftStage, checks: dict[str, list[ModelDrift]]
) -> None:
    closes = SESSION.schedule.close_times.tolist()
    middle = closes[round(0.7 * len(closes))]
    so_far = newest(expected_checks(SESSION, RULES, middle))
    empty_stage.raise_server()
    empty_stage.publish(FIRST, middle)
    with empty_stage.process("first") as first:
        until(lambda: found(first, so_far), "it never found the scores")
        first.kill()
    with empty_stage.process("second") as second:
        until(lambda: found(second, so_far), "the scores are others now")
        empty_stage.publish(middle, LAST)
        second.until_state("finished")
        assert as_bytes(scores(second)) == as_bytes(newest(checks)) != as_bytes(so_far)
        assert second.stop() == 0


def test_help_tells_what_the_service_does_and_its_settings() -> None:
    command = [sys.executable, "-m", "stratvector.services.drift", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Scores each model's returns and signals against its reference" in run.stdout
    assert "http_port  (default 8080; STRATVECTOR_DRIFT_HTTP_PORT)" in run.stdout
    assert "drift_config  (default none; STRATVECTOR_DRIFT_DRIFT_CONFIG)" in run.stdout
    assert run.stderr == ""
    assert len(MAIN.read_text().splitlines()) <= MAIN_LINES_MAX


def test_without_nats_it_starts_and_says_what_it_waits_for(empty_stage: DriftStage) -> None:
    with empty_stage.process("waiting") as waiting:
        waiting.until_state("starting")
        until(lambda: "waiting for NATS" in waiting.get("/readyz")[1], "it never said so")
        status, text = waiting.get("/readyz")
        assert status == 503
        assert f"waiting for NATS at {empty_stage.server.url}" in json.loads(text)["reason"]
        assert waiting.get("/healthz")[0] == 200
        assert waiting.stop() == 0


def test_a_rule_that_nobody_knows_ends_the_start_in_one_sentence(empty_stage: DriftStage) -> None:
    empty_stage.raise_server()
    empty_stage.rules_file.write_text("windows: 100\n")
    with empty_stage.process("wrong") as wrong:
        assert wrong.ended() == 78
        sentence = f"{empty_stage.rules_file}: there is no rule windows; the nearest is "
        assert wrong.err.read_text() == f"drift: {sentence}window_closes\n"
