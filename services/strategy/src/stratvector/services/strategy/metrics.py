"""What Prometheus scrapes of the models: read off their newest signals when it asks."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.runtime.served import Served
from stratvector.services.strategy.model_state import ModelState

Models = Callable[[], Sequence[ModelState]]


class StrategyCollector(Collector):
    """Target weights; a model without signals has none."""

    def __init__(self, served: Served[Models]) -> None:
        self._served = served

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per portfolio, model and symbol; NaN: the target before is kept."""
        text = "The target weight, as a fraction of the budget of the model."
        labels = ["portfolio", "run", "model", "symbol"]
        family = GaugeMetricFamily("stratvector_signal_weight", text, labels=labels)
        for one, models in self._served.items():
            for state in models():
                for row in state.rows:
                    names = [one.portfolio, one.run, state.model, row.symbol]
                    family.add_metric(names, row.weight)
        yield family
