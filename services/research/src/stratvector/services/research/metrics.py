"""metrics: what Prometheus learns of the jobs."""

from collections.abc import Iterator

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.services.research.job_board import JobBoard

JOB_SECONDS = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)


def job_seconds() -> Histogram:
    """How long runs took, from their start to their end."""
    return Histogram(
        "stratvector_research_job_seconds",
        "The time that a backtest took.",
        buckets=JOB_SECONDS,
        registry=None,
    )


class BoardMetrics(Collector):
    """Reads the board when asked."""

    def __init__(self, board: JobBoard) -> None:
        self._board = board

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Jobs of each state, and the clients that follow one."""
        jobs = GaugeMetricFamily(
            "stratvector_research_jobs", "The jobs on disk, by state.", labels=["state"]
        )
        for state, count in self._board.counts().items():
            jobs.add_metric([state], count)
        yield jobs
        followers = self._board.followers()
        yield GaugeMetricFamily(
            "stratvector_research_followers",
            "The clients that follow the progress of a job.",
            followers,
        )
