"""What Prometheus scrapes of the models: read off their newest signals when it asks."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.runtime.served import Served
from stratvector.services.strategy.model_lane import ModelLane


class StrategyCollector(Collector):
    """Target weights; a model without signals, or that runs elsewhere, has none."""

    def __init__(self, served: Served[Mapping[str, ModelLane]]) -> None:
        self._served = served

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per portfolio, model and symbol; NaN: the target before is kept."""
        text = "The target weight, as a fraction of the budget of the model."
        labels = ["portfolio", "run", "model", "symbol"]
        family = GaugeMetricFamily("stratvector_signal_weight", text, labels=labels)
        for one, models in self._served.items():
            for model, lane in dict(models).items():
                for row in lane.rows:
                    names = [one.portfolio, one.run, model, row.symbol]
                    family.add_metric(names, row.weight)
        yield family
