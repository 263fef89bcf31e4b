"""metrics: what the gateway tells Prometheus of those who ask it."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector


class GatewayMetrics:
    """Counters of requests, of logins and of open WebSockets."""

    def __init__(self) -> None:
        self.requests = Counter(
            "stratvector_gateway_requests",
            "The requests that were answered.",
            ["method", "route", "status"],
            registry=None,
        )
        self.logins = Counter(
            "stratvector_gateway_logins",
            "The tokens that were shown on the login page: right or wrong.",
            ["outcome"],
            registry=None,
        )
        self.websocket_clients = Gauge(
            "stratvector_gateway_websocket_clients",
            "The WebSocket clients that are connected.",
            registry=None,
        )

    @property
    def collectors(self) -> Sequence[Collector]:
        """For the process's registry."""
        return (self.requests, self.logins, self.websocket_clients)
