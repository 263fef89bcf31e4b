"""What Prometheus scrapes of orders. The wall clock is read here and nowhere else in execution."""

import time
from collections.abc import Sequence

from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from stratvector.trading.fills import FillEvent, FillKind

MARKET = "market"  # the only type that risk approves
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# A claim is no outcome: something follows it.
OUTCOMES = {kind: kind.name.lower() for kind in FillKind if kind is not FillKind.SENDING}


class OrderMetrics:
    """Speaks `OrderMeter`. broker : the name of the venue's adapter, for the label."""

    def __init__(self, broker: str) -> None:
        latency = Histogram(
            "order_latency_seconds",
            "The time from storing the approval to the acknowledgement of the broker.",
            ["broker", "type"],
            buckets=SECONDS,
            registry=None,
        )
        outcomes = Counter(
            "stratvector_order_outcomes",
            "The events of orders, as they were published.",
            ["outcome"],
            registry=None,
        )
        self.collectors: tuple[Collector, ...] = (latency, outcomes)
        self._latency = latency.labels(broker, MARKET)
        self._outcomes = {kind: outcomes.labels(name) for kind, name in OUTCOMES.items()}

    def acknowledged(self, approved_at: int, trace_id: str) -> None:
        """One observation, unless nobody told when the approval was stored. The two clocks may be
        those of two machines: a negative time counts as none. The decision's trace is the bucket's
        exemplar, which only OpenMetrics shows.
        """
        if approved_at:
            exemplar = {"trace_id": trace_id} if trace_id else None
            self._latency.observe(max(0, time.time_ns() - approved_at) / 1e9, exemplar)

    def published(self, events: Sequence[FillEvent]) -> None:
        """One count per event; a partial fill is an event of its own."""
        for event in events:
            if event.kind in self._outcomes:
                self._outcomes[event.kind].inc()
