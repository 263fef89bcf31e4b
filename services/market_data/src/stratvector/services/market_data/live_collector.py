"""What Prometheus scrapes of the live feeds; what reads venues is loaded with the first of them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from stratvector.services.market_data.live_feeds import LiveFeeds


class LiveCollector(Collector):
    """live : the feeds of the process, None before the first live portfolio begins."""

    def __init__(self, live: "Callable[[], LiveFeeds | None]") -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """Nothing as long as there are none."""
        if (feeds := self._live()) is not None:
            yield from feeds.collect()
