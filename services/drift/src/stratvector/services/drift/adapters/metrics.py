"""metrics: the scores for Prometheus, read off the board when it scrapes."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stratvector.services.drift.board import Board


class DriftCollector(Collector):
    """Each model's drift score, NaN until there is one, and how many checks there were."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """The newest scores, and how many were made since the start."""
        score = GaugeMetricFamily(
            "strategy_drift_score",
            "How far a model has moved from its reference, from 0 to 1; NaN while it is not known.",
            labels=["model"],
        )
        for record in self._board.records():
            score.add_metric([record.model], record.score)
        yield score
        yield CounterMetricFamily(
            "stratvector_strategy_drift_checks",
            "The scheduled checks since the start, those of closes that were read again included.",
            value=self._board.checks,
        )
