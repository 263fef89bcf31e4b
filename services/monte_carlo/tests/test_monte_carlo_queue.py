"""Two replicas share the queue of one: whoever is asked, both compute, and what is open is told."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    figures,
    python_figures,
    request,
    steps,
)

RUNS, PATHS, TIME_STEPS = 6, 40_000, 5
COMPUTED = "stratvector_monte_carlo_paths_total"
OPEN = 'stratvector_monte_carlo_open_runs{state="%s"}'
# With 2 assets half of what one client may have under way: an hour on one thread.
LARGEST = request(1_000_000, 10_000)


def open_runs(service: MonteCarloProcess) -> tuple[float, float]:
    return service.metric(OPEN % "waiting"), service.metric(OPEN % "under_way")


def test_a_queue_at_one_replica_is_computed_by_both_and_each_result_is_right(
    nats: NatsServer, tmp_path: Path
) -> None:
    told = {"nats_url": nats.url, "workers": 1}
    with (
        MonteCarloProcess(tmp_path, "asked", **told) as asked,
        MonteCarloProcess(tmp_path, "other", **told) as other,
    ):
        for service in (asked, other):
            service.until_state("owner")
        with ThreadPoolExecutor(RUNS) as asking:
            wanted = [request(PATHS, TIME_STEPS, seed) for seed in range(RUNS)]
            results = list(asking.map(asked.run, wanted))
        computed = [service.metric(COMPUTED) for service in (asked, other)]
        assert min(computed) > 0
        assert sum(computed) == RUNS * PATHS
        assert open_runs(asked) == (0, 0)
    for seed, result in enumerate(results):
        assert figures(result) == python_figures(PATHS, TIME_STEPS, seed)


def test_runs_that_wait_and_runs_under_way_are_told_until_they_end(
    nats: NatsServer, tmp_path: Path
) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url, workers=1)
    with service, service.channel() as channel:
        service.until_state("owner")
        assert open_runs(service) == (0, 0)
        flood = [steps(channel, LARGEST) for _ in range(5)]
        for run in flood:
            next(run)
        service.until_metric(OPEN % "under_way", 2)
        assert open_runs(service) == (3, 2)
        channel.close()
        service.until_metric('stratvector_monte_carlo_runs_total{outcome="cancelled"}', 5)
        assert open_runs(service) == (0, 0)
