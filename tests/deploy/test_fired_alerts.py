"""Alerts fired for real: from a service's own metrics to the line of the webhook's receiver."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, start_http_server

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.services.execution.metrics import OrderMetrics
from tests.deploy.exposed_metrics import MODEL, PORTFOLIO, drift_collector
from tests.deploy.monitoring import PROMETHEUS_PARTS, Monitoring

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not all(map(shutil.which, PROMETHEUS_PARTS)),
        reason="Prometheus and Alertmanager are not installed; tools/prometheus.sh installs them",
    ),
]
LATE_NS = 2_000_000_000
OVER_A_GIGABYTE = 1_050_000_000


@contextmanager
def scraped(registry: CollectorRegistry) -> Iterator[str]:
    """The address at which a registry is exposed."""
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def muted(monitoring: Monitoring, alert: str, job: str) -> bool:
    """Whether Alertmanager holds an alert back because of another one."""
    known = json.loads(monitoring.page("alertmanager", "/api/v2/alerts"))
    return any(
        one["status"]["inhibitedBy"]
        for one in known
        if (one["labels"]["alertname"], one["labels"].get("job")) == (alert, job)
    )


def test_the_classic_alerts_and_a_dead_service_reach_the_receivers_of_their_severity(
    tmp_path: Path,
) -> None:
    held = np.ones(OVER_A_GIGABYTE, np.uint8)  # of resident memory, as every page is written
    metrics, orders = ProcessMetrics(CollectorRegistry()), OrderMetrics("simulated")
    metrics.watch(list, [*orders.collectors, drift_collector(0.95)])
    with scraped(metrics.registry) as address:
        targets = {"execution": address, "drift": address, "risk": f"127.0.0.1:{free_port()}"}
        with Monitoring(tmp_path, targets, quick=True) as monitoring:

            def fired(alert: str, severity: str, **labels: str) -> bool:
                orders.acknowledged(time.time_ns() - LATE_NS, "")
                wanted = {"alertname": alert, "severity": severity, **labels}
                return any(
                    one["status"] == "firing"
                    and one["receiver"] == severity
                    and wanted.items() <= one["labels"].items()
                    and one["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.lower()}"
                    for one in monitoring.notified()
                )

            def until(alert: str, severity: str, **labels: str) -> None:
                monitoring.until(lambda: fired(alert, severity, **labels), f"no {alert}")

            until("OrderLatencyHigh", "warning", broker="simulated")
            drifted = {"portfolio": PORTFOLIO.name, "run": "paper.1", "model": MODEL}
            until("DriftHigh", "warning", **drifted)
            until("ServiceDown", "critical", job="risk")
            until("ScrapeAbsent", "critical", job="ledger")
            until("ProcessMemoryHigh", "warning", job="execution")
            assert any(one["receiver"] == "heartbeat" for one in monitoring.notified())
            # A failed scrape is explained by its service being down, which mutes the warning.
            monitoring.until(lambda: muted(monitoring, "ReplicaDown", "risk"), "not muted")
    assert held.all()
