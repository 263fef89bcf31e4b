"""What Prometheus scrapes of records: the newest close of each that is in the database."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.trading.ledger import LedgerEntry


class RecordedCloses(Collector):
    """Told of each group that is written, on any thread; a standby, which writes nothing, tells of
    no record.
    """

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}

    def written(self, group: Sequence[LedgerEntry]) -> None:
        """These are in the database."""
        for entry in group:
            whose = entry.portfolio, entry.run
            self._newest[whose] = max(entry.close_time, self._newest.get(whose, 0))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per record that this process writes."""
        family = GaugeMetricFamily(
            "stratvector_ledger_close_seconds",
            "The newest close that is in the database, seconds since 1970.",
            labels=["portfolio", "run"],
        )
        for names, close_time in self._newest.copy().items():
            family.add_metric(names, close_time / 1e9)
        yield family
