"""What Prometheus scrapes of the models: read off their newest signals when it asks."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.services.strategy.model_state import ModelState

Look = Callable[[], Sequence[ModelState]]


class StrategyCollector(Collector):
    """Target weights; a model without signals has none."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per model and symbol; NaN: the target before is kept."""
        text = "The target weight, as a fraction of the budget of the model."
        family = GaugeMetricFamily("stratvector_signal_weight", text, labels=["model", "symbol"])
        for state in self._look():
            for row in state.rows:
                family.add_metric([state.model, row.symbol], row.weight)
        yield family
