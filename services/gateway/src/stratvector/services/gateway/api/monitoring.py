"""monitoring: what each process says of itself."""

import asyncio
from collections import defaultdict

from fastapi import APIRouter
from prometheus_client.parser import text_string_to_metric_families

from stratvector.services.gateway.api.asking import Gateway
from stratvector.services.gateway.api.values import Figure, Shape, figure
from stratvector.services.gateway.health import fetch

router = APIRouter(prefix="/api/monitoring", tags=["monitoring"])
SHOWN = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "stratvector_messages_published_total",
    "stratvector_messages_received_total",
    "stratvector_quarantined_messages_total",
)


class ServiceHealth(Shape):
    """One process. level : green (ready), amber (not ready) or red (silent or halted)."""

    name: str
    state: str
    ready: bool
    level: str
    reason: str
    metrics_url: str


class Monitoring(Shape):
    """ready : whether every process is."""

    ready: bool
    services: list[ServiceHealth]


class ServiceMetrics(Shape):
    """Key figures of one process, summed over labels. trouble : why there are none."""

    metrics_url: str
    metrics: dict[str, Figure]
    trouble: str


class MonitoringMetrics(Shape):
    """By process. `metrics_url` has all of it, for Prometheus."""

    services: dict[str, ServiceMetrics]


@router.get("")
async def get_monitoring(context: Gateway) -> Monitoring:
    """State and readiness of each process, at most a second old."""
    found = [
        ServiceHealth(
            name=health.name,
            state=health.state,
            ready=health.ready,
            level=health.level,
            reason=health.reason,
            metrics_url=f"{context.health.probes[health.name]}/metrics",
        )
        for health in context.health.now.values()
    ]
    return Monitoring(ready=all(one.ready for one in found), services=found)


@router.get("/metrics")
async def get_metrics(context: Gateway) -> MonitoringMetrics:
    """Key figures of each process, asked now."""
    probes = context.health.probes
    found = await asyncio.gather(*(_metrics(name, url) for name, url in probes.items()))
    return MonitoringMetrics(services=dict(zip(probes, found, strict=True)))


async def _metrics(name: str, url: str) -> ServiceMetrics:
    address = f"{url}/metrics"
    page = await fetch(name, url, "/metrics")
    if page is None:
        return ServiceMetrics(metrics_url=address, metrics={}, trouble="it does not answer")
    try:
        return ServiceMetrics(metrics_url=address, metrics=_key_figures(page), trouble="")
    except ValueError:
        return ServiceMetrics(
            metrics_url=address, metrics={}, trouble="what answers does not tell metrics"
        )


def _key_figures(page: bytes) -> dict[str, float | None]:
    totals: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name in SHOWN:
                totals[sample.name] += sample.value
    return {name: figure(totals[name]) for name in SHOWN if name in totals}
