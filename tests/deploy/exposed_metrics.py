"""What the services expose, read off their own collectors: each sample's name and its labels."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from stratvector.market.live import VenueState
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.host import AnsweredFrom
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.telemetry_export import OtlpTelemetry
from stratvector.runtime.served import PortfolioRun, Served
from stratvector.services.drift.adapters.metrics import DriftCollector
from stratvector.services.execution.metrics import OrderMetrics
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.services.ledger.metrics import RecordedCloses
from stratvector.services.market_data.feed_reports import FeedCollector, FeedReports
from stratvector.services.research.metrics import BoardMetrics, job_seconds
from stratvector.services.risk.metrics import RiskCollector
from stratvector.services.risk.portfolio_state import Decided, PortfolioState
from stratvector.services.strategy.metrics import StrategyCollector
from stratvector.trading.orders import Decision, ValueAtRisk
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.processes.monte_carlo_process import MonteCarloProcess
from tests.sessions.scripted_sessions import one_symbol

ROOT = Path(__file__).resolve().parents[2]
CLOSE = 1_700_000_000 * NANOSECONDS_PER_SECOND
MONTE_CARLO = ROOT / "services/monte_carlo/src/metrics.rs"
PORTFOLIO = replace(
    one_symbol([10.0] * 4, [0.5] * 4).portfolio,
    run="paper.1",
    limits=RiskLimits(drawdown_trigger=0.15, drawdown_halt=0.20, gross=1.2),
)
MODEL = PORTFOLIO.model_names[0]


Exposed = dict[str, set[str]]
"""The labels of each series by its name; an instrument that has told nothing yet has none."""


def samples() -> list[Sample]:
    """One scrape of every Python collector, each label value seen once."""
    made = _process().registry
    for collectors in by_service().values():
        for collector in collectors:
            made.register(collector)
    found = [sample for family in made.collect() for sample in family.samples]
    # Services leave these out.
    return [sample for sample in found if not sample.name.endswith("_created")]


def exposed() -> Exposed:
    """Of all processes together; labels of Monte Carlo's counters, which have told nothing before a
    run, are read from their declarations.
    """
    return {**_labels(samples()), **_of_monte_carlo()}


def services() -> dict[str, Exposed]:
    """Of each Python service, with what the runtime adds."""
    everywhere = read(generate_latest(_process().registry).decode())
    return {name: {**everywhere, **of(own)} for name, own in by_service().items()}


def monte_carlo(folder: Path) -> Exposed:
    """Of the binary, before a bus answers."""
    bus = f"nats://127.0.0.1:{free_port()}"
    with MonteCarloProcess(folder, "monte_carlo", nats_url=bus) as process:
        return read(process.get("/metrics")[1])


def read(text: str) -> Exposed:
    """The names and labels of an exposition."""
    families = text_string_to_metric_families(text)
    return _labels(sample for family in families for sample in family.samples)


def of(collectors: Iterable[Collector]) -> Exposed:
    """What collectors expose on a registry of their own."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return read(generate_latest(registry).decode())


def by_service() -> dict[str, tuple[Collector, ...]]:
    """What each service tells beside the runtime, of one state each."""
    return {
        "market_data": (_feeds(),),
        "strategy": (_signals(),),
        "risk": (_risk(),),
        "execution": _orders(),
        "ledger": (_recorded(),),
        "drift": (drift_collector(0.3),),
        "research": _research(),
        "gateway": _gateway(),
    }


def drift_collector(score: float) -> Collector:
    """One model with a score."""
    record = SimpleNamespace(model=MODEL, score=score)
    board: Any = SimpleNamespace(records=lambda: [record], checks=1)
    return DriftCollector(lambda: [(PortfolioRun.of(PORTFOLIO), board)])


def _labels(found: Iterable[Sample]) -> Exposed:
    told: Exposed = {}
    for sample in found:
        told.setdefault(sample.name, set()).update(sample.labels)
    return told


def _process() -> ProcessMetrics:
    """What the runtime tells, with an owned lane and with traces on."""
    metrics = ProcessMetrics(CollectorRegistry())
    metrics.published.labels("bars.live.1.us.1d").inc()
    metrics.received.labels("bars.live.1.us.1d").inc()
    for noun in ("bars", "orders", "fills"):
        metrics.waited.labels(noun).observe(0.002)
    lane: Any = SimpleNamespace(subject=f"orders.paper.1.{PORTFOLIO.name}", epoch=1, lost=False)
    metrics.closes[lane.subject] = CLOSE
    metrics.watch(lambda: [lane])
    certificates: Any = SimpleNamespace(now=lambda: SimpleNamespace(expires_seconds=CLOSE / 1e9))
    metrics.watch_certificate(certificates)
    telemetry = OtlpTelemetry("risk", "risk-1", f"http://127.0.0.1:{free_port()}", metrics)
    asyncio.run(telemetry.close(0.0))
    return metrics


def _orders() -> tuple[Collector, ...]:
    metrics = OrderMetrics("simulated")
    metrics.acknowledged(CLOSE, "")
    return metrics.collectors


def _gateway() -> tuple[Collector, ...]:
    metrics = GatewayMetrics()
    metrics.requests.labels("GET", "/api/portfolio", "200").inc()
    metrics.logins.labels("right").inc()
    return tuple(metrics.collectors)


def _research() -> tuple[Collector, ...]:
    board: Any = SimpleNamespace(counts=lambda: {"running": 1}, followers=lambda: 1)
    return BoardMetrics(board), job_seconds()


def _feeds() -> Collector:
    reports = FeedReports("us", "1d")
    reports.last_close = CLOSE
    return FeedCollector([reports], lambda: [VenueState("kraken", requests=1)])


def _recorded() -> Collector:
    recorded = RecordedCloses()
    entry: Any = SimpleNamespace(
        portfolio=PORTFOLIO.name, run=PORTFOLIO.run, close_time=CLOSE - NANOSECONDS_PER_SECOND
    )
    recorded.written([entry])
    return recorded


def _risk() -> Collector:
    decision = Decision(
        portfolio=PORTFOLIO.name,
        close_time=CLOSE,
        equity=0.9 * float(PORTFOLIO.initial_cash),
        gross_exposure=0.3,
        drawdown_factor=0.75,
        halted=False,
        reduce_only=False,
        orders=(),
        cancels=(),
        crosses=(),
        symbols=(),
    )
    figure = ValueAtRisk(CLOSE - NANOSECONDS_PER_SECOND, 1.0, 0.02, 0.03, 10_000, 7)
    peak = float(PORTFOLIO.initial_cash)
    state = PortfolioState(PORTFOLIO, decision, peak, {"A": 3}, {"A": 10.5}, figure, 0, "")
    served = Served[Decided]("risk")
    served.add(PORTFOLIO, Decided(PORTFOLIO, lambda: state, lambda: AnsweredFrom("orders", True)))
    return RiskCollector(served)


def _signals() -> Collector:
    weights = {"A": 0.5, "B": -0.2, "C": 0.0}
    rows = [SimpleNamespace(symbol=symbol, weight=weight) for symbol, weight in weights.items()]
    lane: Any = SimpleNamespace(rows=rows)
    served: Served[Any] = Served("strategy")
    served.add(PORTFOLIO, {MODEL: lane})
    return StrategyCollector(served)


def _of_monte_carlo() -> Exposed:
    source = MONTE_CARLO.read_text(encoding="utf-8")
    labels = re.findall(r"Int(?:Counter|Gauge)Vec::new\((\w+), &\[\"(\w+)\"\]\)", source)
    assert [name for name, _ in labels] == ["runs", "open"]
    found: Exposed = {}
    for name in re.findall(r'"(stratvector_monte_carlo_\w+)"', source.split("#[cfg(test)]")[0]):
        found |= _histogram(name) if name.endswith("_seconds") else {name: set()}
    of = dict(labels)
    return {
        **found,
        "stratvector_monte_carlo_runs_total": {of["runs"]},
        "stratvector_monte_carlo_open_runs": {of["open"]},
    }


def _histogram(name: str) -> Exposed:
    return {f"{name}_bucket": {"le"}, f"{name}_count": set(), f"{name}_sum": set()}
