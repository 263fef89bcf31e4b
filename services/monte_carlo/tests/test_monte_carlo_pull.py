"""Replicas ask runs for their shards: none is idle, none is lost, and clients have equal parts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from stratvector.contracts.v1.monte_carlo_service_pb2 import RunScenarioResponse
from stratvector.contracts.v1.monte_carlo_shards_pb2 import ComputeShardResponse
from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    figures,
    python_figures,
    request,
    steps,
)
from tests.processes.planted_replica import SHARDS, PlantedReplica

ENDLESS = request(1_000_000, 10_000)  # an hour
COMPUTED = "stratvector_monte_carlo_paths_total"
ASKED_AGAIN = "stratvector_monte_carlo_shards_asked_again_total"
SHARD_PATHS = 4_096
LONG_SHARD_PATHS = 2**19 // (200 * 2)  # of 200 steps and 2 assets
# What a busy machine may do to a replica that always has a shard prepared; one that prepares none
# is idle after each answer, and one that is handed shards holds many.
IDLE_MAX = 0.5
HELD_MAX = 2


def replica(nats: NatsServer, folder: Path, name: str) -> MonteCarloProcess:
    return MonteCarloProcess(folder, name, nats_url=nats.url, workers=1)


def until_progress(run: Iterator[RunScenarioResponse]) -> None:
    while next(run).progress.done == 0:
        pass


def cancel(run: Iterator[RunScenarioResponse]) -> None:
    assert isinstance(run, grpc.Call)
    run.cancel()


def held(heard: list[tuple[str, str, bytes]]) -> dict[str, list[int]]:
    """How many shards each replica still had after each of its answers, up to the last gift."""
    holders: dict[str, str] = {}  # of each shard that was given, by where its answer goes
    left: dict[str, list[int]] = {}
    for subject, reply, payload in heard[: _last_gift(heard)]:
        if subject.startswith("_INBOX.") and reply.startswith(SHARDS):
            holders[reply] = subject.rsplit(".", 1)[0]
        elif subject in holders and ComputeShardResponse.FromString(payload).profits:
            holder = holders.pop(subject)
            left.setdefault(holder, []).append(list(holders.values()).count(holder))
    return left


def _last_gift(heard: list[tuple[str, str, bytes]]) -> int:
    gifts = (n for n, (_, reply, _) in enumerate(heard) if reply.startswith(SHARDS))
    return max(gifts)


def test_two_replicas_are_given_shards_in_turn_and_neither_is_idle_while_there_are_some(
    nats: NatsServer, tmp_path: Path
) -> None:
    first, second = (replica(nats, tmp_path, name) for name in ("first", "second"))
    with first, second, PlantedReplica(nats, overhears=True) as planted:
        second.until_state("owner")
        result = first.run(request(250_000, 50))
        computed = [one.metric(COMPUTED) for one in (first, second)]
        left = held(planted.heard)
    assert figures(result) == python_figures(250_000, 50)
    assert sum(computed) >= 250_000
    assert len(left) == 2
    for after_answers in left.values():
        assert after_answers.count(0) <= IDLE_MAX * len(after_answers)
        assert max(after_answers) <= HELD_MAX


def test_shards_that_a_replica_took_and_never_answered_are_given_again(
    nats: NatsServer, tmp_path: Path
) -> None:
    with (
        replica(nats, tmp_path, "alone") as service,
        PlantedReplica(nats, overhears=True) as planted,
    ):
        with ThreadPoolExecutor(1) as asking:
            asked = asking.submit(service.run, request(200_000, 25))
            address = planted.announced().address
            taken = [planted.asked(address) for _ in range(2)]
            # What is no answer changes nothing, however often it is said.
            for payload in (b"noise", ComputeShardResponse(profits=[1.0]).SerializeToString()):
                planted.publish(taken[0][1], payload)
                planted.publish(f"{address}.999999", payload)
            result = asked.result()
        again = service.metric(ASKED_AGAIN)
        told = [reply for _, reply, _ in planted.heard if reply == taken[0][1]]
    assert figures(result) == python_figures(200_000, 25)
    assert len({question.first_path for question, _ in taken}) == 2
    assert again >= 2
    assert len(told) >= 2


def test_a_run_that_has_given_all_gives_nothing_and_one_whose_process_ended_is_gone(
    nats: NatsServer, tmp_path: Path
) -> None:
    with replica(nats, tmp_path, "alone") as service, PlantedReplica(nats) as planted:
        service.run(request(SHARD_PATHS, 2))
        address = planted.announced().address
        question, answer_to = planted.asked(address)
        assert (answer_to, question.paths) == ("", 0)
        assert service.stop() == 0
        planted.until_gone(address)


def test_an_announcement_that_leads_nowhere_keeps_no_run_from_its_replicas(
    nats: NatsServer, tmp_path: Path
) -> None:
    with (
        replica(nats, tmp_path, "alone") as service,
        PlantedReplica(nats, overhears=True) as planted,
    ):
        service.until_state("owner")
        told: list[dict[str, Any]] = [
            {"address": f"{SHARDS}.nobody.1", "client": 1, "arithmetic": 1},
            {"address": f"{SHARDS}.a b\r\nPUB x 0", "client": 2, "arithmetic": 1},
            {"address": f"{SHARDS}.nobody.2", "client": 3, "arithmetic": 2},
        ]
        for one in told:
            planted.announce(**one)
        planted.publish("montecarlo.runs", b"noise")
        assert figures(service.run(request(5_000, 2))) == python_figures(5_000, 2)
        asked = {subject for subject, *_ in planted.heard if subject.startswith(SHARDS)}
        assert f"{SHARDS}.nobody.1" in asked
        assert f"{SHARDS}.nobody.2" not in asked
        assert service.events("part_ended") == []


def test_a_replica_started_in_the_middle_of_a_run_takes_part(
    nats: NatsServer, tmp_path: Path
) -> None:
    first, second = (replica(nats, tmp_path, name) for name in ("first", "second"))
    with first, first.channel() as channel:
        run = steps(channel, ENDLESS)
        until_progress(run)
        with second:
            second.until_metric(COMPUTED, 1)
        cancel(run)


def test_a_client_with_one_run_comes_on_as_fast_as_one_with_ten(
    nats: NatsServer, tmp_path: Path
) -> None:
    paths, many = 200_000, request(400_000, 200)
    with replica(nats, tmp_path, "alone") as service, ExitStack() as ends:
        channel = ends.enter_context(service.channel())
        flood = [steps(channel, many) for _ in range(10)]
        for run in flood:
            until_progress(run)
        before = service.metric(COMPUTED)
        result = service.run(request(paths, 5))
        shards_of_many = (service.metric(COMPUTED) - before - paths) / LONG_SHARD_PATHS
        for run in flood:
            cancel(run)
    assert figures(result) == python_figures(paths, 5)
    assert shards_of_many == pytest.approx(paths / SHARD_PATHS, rel=0.2)
