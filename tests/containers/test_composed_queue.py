"""docker-compose.yml: Monte Carlo's queue grows, a second replica takes part, it is empty again."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from stratvector.contracts.v1.monte_carlo_service_pb2 import RunScenarioResponse, ScenarioResult
from tests.containers.composed_platform import Platform
from tests.containers.engine import Composed, docker, until
from tests.processes.monte_carlo_process import (
    OPTIONS,
    figures,
    python_figures,
    request,
    steps,
)
from tests.security.authorities import channel_credentials

SERVICES = ("monte_carlo",)
# With 2 assets half of what one client may have under way: an hour on one thread.
LARGEST = request(1_000_000, 10_000)
FLOOD, RUNS, PATHS, TIME_STEPS = 5, 4, 100_000, 5
# What KEDA scales by.
QUEUE = 'sum(stratvector_monte_carlo_open_runs{job="monte_carlo"})'
COMPUTED = 'stratvector_monte_carlo_paths_total{job="monte_carlo"} > 0'


@pytest.fixture
def platform(tmp_path: Path, is_short: bool) -> Iterator[Platform]:
    """The bus, one replica of Monte Carlo, and who scrapes it."""
    if is_short:
        pytest.skip("the short form has no Monte Carlo")
    name = f"stratvector-queue-{os.getpid()}"
    with Composed(name, ("nats", *SERVICES, "prometheus"), {}) as composed:
        yield Platform(composed, SERVICES, tmp_path, {})
    assert docker("volume", "ls", "--quiet", "--filter", f"name={name}") == ""


def opened(platform: Platform, address: str) -> grpc.Channel:
    """A client of its own, as the command line is one."""
    options = (*OPTIONS, ("grpc.ssl_target_name_override", "monte-carlo"))
    credentials = channel_credentials(platform.tls())
    return grpc.secure_channel(f"{address}:50051", credentials, options=options)


def result_of(platform: Platform, address: str, seed: int) -> ScenarioResult:
    with opened(platform, address) as channel:
        *_, last = steps(channel, request(PATHS, TIME_STEPS, seed))
    return last.result


def cancel(run: Iterator[RunScenarioResponse]) -> None:
    assert isinstance(run, grpc.Call)
    run.cancel()


def queue(platform: Platform) -> float:
    """What Prometheus knows of open runs; none before its first scrape."""
    return sum(float(row["value"][1]) for row in platform.metrics(QUEUE))


def computing(platform: Platform) -> set[str]:
    return {row["metric"]["instance"] for row in platform.metrics(COMPUTED)}


def test_a_second_replica_takes_part_in_a_queue_and_the_queue_is_empty_again(
    platform: Platform,
) -> None:
    composed = platform.composed
    for service in (*SERVICES, "prometheus"):
        until(lambda of=service: composed.is_healthy(of), f"health of {service}")  # type: ignore[misc]
    address = composed.address("monte_carlo")  # all is asked of the first one
    until(lambda: platform.metrics(QUEUE), "a scrape of Monte Carlo")
    assert queue(platform) == 0
    with opened(platform, address) as channel, ThreadPoolExecutor(RUNS) as asking:
        flood = [steps(channel, LARGEST) for _ in range(FLOOD)]
        for run in flood:
            next(run)
        until(lambda: queue(platform) == FLOOD, "a queue")
        composed.compose("up", "--detach", "--no-build", "--no-recreate", "--scale",
                         "monte_carlo=2", "monte_carlo")  # fmt: skip
        until(lambda: len(computing(platform)) == 2, "two replicas that compute")
        asked = [asking.submit(result_of, platform, address, seed) for seed in range(RUNS)]
        results = [one.result() for one in asked]
        for run in flood:
            cancel(run)
    until(lambda: queue(platform) == 0, "an empty queue")
    assert len(composed.containers("monte_carlo")) == 2
    for seed, result in enumerate(results):
        assert figures(result) == python_figures(PATHS, TIME_STEPS, seed)
