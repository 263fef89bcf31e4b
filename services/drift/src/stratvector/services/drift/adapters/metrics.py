"""metrics: the scores for Prometheus, read off the boards when it scrapes."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stratvector.services.drift.board import Boards


class DriftCollector(Collector):
    """Each model's drift score, NaN until there is one, and how many checks there were."""

    def __init__(self, look: Callable[[], Boards]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        """The newest scores, and how many were made since the start."""
        score = GaugeMetricFamily(
            "strategy_drift_score",
            "How far a model has moved from its reference, from 0 to 1; NaN while it is not known.",
            labels=["portfolio", "run", "model"],
        )
        checks = CounterMetricFamily(
            "stratvector_strategy_drift_checks",
            "The scheduled checks since the start, those of closes that were read again included.",
            labels=["portfolio", "run"],
        )
        for one, board in self._look():
            for record in board.records():
                score.add_metric([one.portfolio, one.run, record.model], record.score)
            checks.add_metric([one.portfolio, one.run], board.checks)
        yield score
        yield checks
