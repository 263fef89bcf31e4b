"""metrics: what Prometheus scrapes from a service process."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.runtime.certificates import Certificates
from stratvector.runtime.lane import Lane

PUBLISH_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
WAIT_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60)


class ProcessMetrics:
    """The instruments of one process on one registry.

    unstored : why, by subject, of publishes that got no answer and are tried again. closes : the
    newest close that this process stored, by lane, ns UTC.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.unstored: dict[str, str] = {}
        self.closes: dict[str, int] = {}
        self.published = Counter(
            "stratvector_messages_published",
            "The messages stored on the bus.",
            ["subject"],
            registry=registry,
        )
        self.received = Counter(
            "stratvector_messages_received",
            "The messages taken from the bus.",
            ["subject"],
            registry=registry,
        )
        self.waited = Histogram(
            "stratvector_message_wait_seconds",
            "The time that a message which was heard waited to be taken, since the bus stored it.",
            ["noun"],
            buckets=WAIT_SECONDS,
            registry=registry,
        )
        self.publish_seconds = Histogram(
            "stratvector_publish_seconds",
            "The time from a publish to the answer of the bus.",
            buckets=PUBLISH_SECONDS,
            registry=registry,
        )
        self.quarantined = Counter(
            "stratvector_quarantined_messages",
            "The messages that could not be processed.",
            registry=registry,
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def watch(
        self, lanes: Callable[[], Sequence[Lane]], collectors: Sequence[Collector] = ()
    ) -> None:
        """Tell of the lanes that there are, and of what the service itself collects, at each
        scrape.
        """
        for collector in (_LaneCollector(lanes, self.closes), *collectors):
            self.registry.register(collector)

    def watch_certificate(self, certificates: Certificates) -> None:
        """Tell when the process's own certificate ends; a process without TLS has no such gauge."""
        gauge = Gauge(
            "stratvector_certificate_expires_seconds",
            "The end of this process's own certificate, in seconds since 1970.",
            registry=self.registry,
        )
        gauge.set_function(lambda: certificates.now().expires_seconds)


class _LaneCollector(Collector):
    """Reads the lanes when asked; the lanes know nothing of it."""

    def __init__(self, lanes: Callable[[], Sequence[Lane]], closes: Mapping[str, int]) -> None:
        self._lanes, self._closes = lanes, closes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Owner and epoch of each lane, and the newest close that its owner stored."""
        owner = GaugeMetricFamily(
            "stratvector_lane_owner",
            "Whether this process owns the lane: 1 if it does, else 0.",
            labels=["lane"],
        )
        epoch = GaugeMetricFamily(
            "stratvector_lane_epoch",
            "The epoch of this process as owner of the lane, 0 as a standby.",
            labels=["lane"],
        )
        close = GaugeMetricFamily(
            "stratvector_lane_close_seconds",
            "The newest close that this process stored in the lane it owns, seconds since 1970.",
            labels=["lane"],
        )
        for lane in self._lanes():
            owner.add_metric([lane.subject], float(lane.epoch > 0 and not lane.lost))
            epoch.add_metric([lane.subject], lane.epoch)
            if lane.epoch > 0 and not lane.lost and lane.subject in self._closes:
                close.add_metric([lane.subject], self._closes[lane.subject] / 1e9)
        yield owner
        yield epoch
        yield close
