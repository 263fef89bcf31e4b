"""Whatever ends in the middle of a run: the same bits, or a clear error; never a part."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from stratvector.contracts.v1.monte_carlo_service_pb2 import RunScenarioResponse
from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    code_and_words,
    figures,
    python_figures,
    request,
    steps,
)

PATHS, STEPS = 600_000, 25
ENDLESS = request(10_000_000, 1_000)  # hours
PATHS_COMPUTED = "stratvector_monte_carlo_paths_total"
ASKED_AGAIN = "stratvector_monte_carlo_shards_asked_again_total"


def until_under_way(run: Iterator[RunScenarioResponse], least: int = 1) -> None:
    """Read progress until some paths are done."""
    for step in run:
        assert step.HasField("progress"), "it was over before it was disturbed"
        if step.progress.done >= least:
            return


def failure(run: Iterator[RunScenarioResponse]) -> tuple[str, str]:
    """Code and words of a run that gave no result."""
    told: list[RunScenarioResponse] = []
    with pytest.raises(grpc.RpcError) as ended:
        told.extend(run)
    assert not any(step.HasField("result") for step in told)
    return code_and_words(ended.value)


def test_a_replica_killed_in_the_middle_of_a_run_changes_no_bit_of_it(
    nats: NatsServer, tmp_path: Path, say: Callable[[str], None]
) -> None:
    first = MonteCarloProcess(tmp_path, "first", nats_url=nats.url, workers=1)
    second = MonteCarloProcess(tmp_path, "second", nats_url=nats.url, workers=1)
    with first, second, first.channel() as channel:
        second.until_state("owner")
        run = steps(channel, request(PATHS, STEPS))
        until_under_way(run)
        second.until_metric(PATHS_COMPUTED, 40_000)
        theirs = second.metric(PATHS_COMPUTED)
        second.kill()
        *_, last = run
        again = first.metric(ASKED_AGAIN)
    assert figures(last.result) == python_figures(PATHS, STEPS)
    # How many shards it held when it died is chance; that it had done some and not all, is not.
    assert 40_000 <= theirs < PATHS
    say(
        f"monte_carlo: a replica killed after {theirs:,.0f} of {PATHS:,} paths, {again:.0f} shards "
        "asked again, same bits"
    )


def test_two_replicas_share_a_run_and_the_bits_are_those_of_one(
    nats: NatsServer, tmp_path: Path
) -> None:
    first = MonteCarloProcess(tmp_path, "first", nats_url=nats.url, workers=2)
    second = MonteCarloProcess(tmp_path, "second", nats_url=nats.url, workers=1)
    with first, second:
        second.until_state("owner")
        result = first.run(request(100_000, STEPS))
        shared = [one.metric(PATHS_COMPUTED) for one in (first, second)]
        assert figures(result) == python_figures(100_000, STEPS)
        assert min(shared) > 0
        assert sum(shared) >= 100_000


def test_a_run_whose_own_process_is_killed_is_unavailable(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        run = steps(channel, ENDLESS)
        until_under_way(run)
        service.kill()
        assert failure(run)[0] == "UNAVAILABLE"


def test_a_run_that_lost_nats_is_unavailable_and_the_next_works(
    nats: NatsServer, tmp_path: Path
) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        run = steps(channel, ENDLESS)
        until_under_way(run)
        nats.stop()
        assert failure(run) == (
            "UNAVAILABLE",
            f"NATS at {nats.url} has been gone for 5 s, and with it the run's workers",
        )
        gone = service.readiness()
        assert (gone["ready"], gone["reason"]) == (False, f"waiting for NATS at {nats.url}")
        nats.start()
        assert figures(service.run(request(5_000, 2))) == python_figures(5_000, 2)
        assert service.readiness()["ready"]


def test_nats_that_comes_back_in_time_costs_no_bit(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        run = steps(channel, request(PATHS, STEPS))
        until_under_way(run)
        nats.stop()
        nats.start()
        *_, last = run
    assert figures(last.result) == python_figures(PATHS, STEPS)


def test_a_cancelled_run_is_asked_for_no_longer(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        run = steps(channel, ENDLESS)
        until_under_way(run)
        assert isinstance(run, grpc.Call)
        run.cancel()
        service.until_metric('stratvector_monte_carlo_runs_total{outcome="cancelled"}', 1)
        assert figures(service.run(request(5_000, 2))) == python_figures(5_000, 2)


def test_a_stop_waits_for_runs_and_cuts_those_that_are_too_long(
    nats: NatsServer, tmp_path: Path
) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1, drain_seconds=60.0)
    with service, service.channel() as channel:
        run = steps(channel, request(PATHS, STEPS))
        until_under_way(run)
        service.signal(signal.SIGTERM)
        *_, last = run
        assert figures(last.result) == python_figures(PATHS, STEPS)
        assert service.ended() == 0
    hasty = MonteCarloProcess(tmp_path, "hasty", nats_url=nats.url, workers=1, drain_seconds=1.0)
    with hasty, hasty.channel() as channel:
        run = steps(channel, ENDLESS)
        until_under_way(run)
        hasty.signal(signal.SIGTERM)
        assert failure(run) == (
            "UNAVAILABLE",
            "the process that runs it is asked to stop: ask again",
        )
        assert hasty.ended() == 0
