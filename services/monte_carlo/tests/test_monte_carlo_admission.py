"""A run is admitted by its work, takes its turn, and ends in time; what is refused says why."""

from pathlib import Path

import grpc
import pytest

from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    code_and_words,
    figures,
    python_figures,
    request,
    steps,
)

# With 2 assets that is 2e10 of work, the bound: an hour on one thread.
LARGEST = request(1_000_000, 10_000)


def refusal(service: MonteCarloProcess, **work: int) -> tuple[str, str]:
    with service.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        list(steps(channel, request(**work)))
    return code_and_words(refused.value)


def test_a_run_of_too_much_work_is_refused_at_once_with_its_work_and_the_bound(
    nats: NatsServer, tmp_path: Path
) -> None:
    with MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1) as service:
        assert refusal(service, paths=10_000_000, time_steps=100_000) == (
            "RESOURCE_EXHAUSTED",
            "simulations x time_steps x assets = 2000000000000: it must be at most 20000000000, "
            "run_work_max of the service",
        )
        assert service.metric("stratvector_monte_carlo_paths_total") == 0
    with MonteCarloProcess(tmp_path, "small", nats_url=nats.url, run_work_max=60) as small:
        assert refusal(small, paths=31, time_steps=1)[0] == "RESOURCE_EXHAUSTED"
        assert figures(small.run(request(30, 1))) == python_figures(30, 1)


def test_floods_of_large_runs_keep_nobodys_small_run_from_its_answer(
    nats: NatsServer, tmp_path: Path
) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        flood = [steps(channel, LARGEST), steps(channel, LARGEST)]
        for run in flood:  # together they are half of all that may be under way
            while next(run).progress.done == 0:
                pass
        flood += [steps(channel, LARGEST) for _ in range(32)]
        waiting = [next(run).progress.done for run in flood[2:]]
        assert waiting == [0] * 32
        assert figures(service.run(request(5_000, 2))) == python_figures(5_000, 2)
        with pytest.raises(grpc.RpcError) as refused:
            next(steps(channel, LARGEST))
        assert code_and_words(refused.value) == (
            "RESOURCE_EXHAUSTED",
            "32 runs of this client wait already: ask again later",
        )


def test_a_run_that_takes_too_long_ends_with_how_far_it_came(
    nats: NatsServer, tmp_path: Path
) -> None:
    told = {"nats_url": nats.url, "workers": 1, "run_seconds_max": 3}
    with MonteCarloProcess(tmp_path, "hasty", **told) as service:
        code, words = refusal(service, paths=10_000_000, time_steps=1_000)
        assert code == "DEADLINE_EXCEEDED"
        assert words.startswith("the run has ")
        assert words.endswith(
            " of 10000000 paths after 3 s, run_seconds_max of the service: ask for fewer "
            "simulations, time_steps or assets"
        )
        assert service.metric('stratvector_monte_carlo_runs_total{outcome="late"}') == 1
        assert figures(service.run(request(100, 2))) == python_figures(100, 2)
