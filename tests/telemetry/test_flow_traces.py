"""A session through real processes that trace: each close is one trace, from its bars to its
record, and no result changes, whatever the collector does.
"""

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from stratvector.runtime.jetstream.wire import traceparent
from stratvector.trading.fills import FillKind
from stratvector.trading.flow import FLOW, SERVICES
from stratvector.trading.session import Session
from stratvector.trading.timestamps import utc_text
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Disturb, ProcessFlow, Running, kill, run_processes
from tests.telemetry.collector import Collected, Collector, absent_endpoint, running_collector

SESSION = generated_session(4, Shape(universes=2, symbols=2, models=3, closes=150))
Say = Callable[[str], None]


def played(
    folder: Path,
    session: Session,
    endpoints: Mapping[str, str],
    disturb: Disturb | None = None,
    replicas: Mapping[str, int] | None = None,
) -> ProcessFlow:
    """The session, with each service told to trace to its endpoint."""
    told = {f"STRATVECTOR_{s.upper()}_OTLP_ENDPOINT": end for s, end in endpoints.items()}
    return run_processes(folder, session, replicas, disturb, told)


def trace_of(close_time: int) -> str:
    return traceparent(close_time, "").split("-")[1]


def span_of(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]


@pytest.mark.slow
def test_every_fill_has_one_trace_from_the_bars_to_the_record(tmp_path: Path, say: Say) -> None:
    pages: list[str] = []
    with running_collector() as collector:
        endpoints = dict.fromkeys(SERVICES, collector.endpoint)
        flow = played(tmp_path, SESSION, endpoints, partial(scrape, pages))
    assert_equal_to_backtest(SESSION, flow)
    assert_orders_are_measured(flow, pages[0], say)
    traces = collector.traces()
    assert_latencies_name_traces(pages[0], set(traces))
    fills = [event for event in flow.events if event.kind is FillKind.FILLED]
    filled = {event.known_time for event in fills}
    assert filled
    for close_time in filled:
        spans = traces[trace_of(close_time)]
        assert {one.service for one in spans} == set(SERVICES), utc_text(close_time)
    assert_traces_are_whole(collector)
    assert_messages_are_spans(flow, collector)
    counts = Counter(f"{one.service}: {one.span.name}" for one in collector.spans)
    say(f"{len(traces)} traces, whole for all {len(fills)} fills at {len(filled)} closes")
    say(f"{dict(sorted(counts.items()))}")


async def scrape(pages: list[str], run: Running) -> None:
    """Execution's metrics once all is decided: every execution is published by then. Asked as
    Prometheus asks that keeps exemplars.
    """
    await run.reach(1.0)
    address = f"http://127.0.0.1:{run.platform.ports.seats['execution'].http}/metrics"

    def read() -> str:
        asked = Request(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        with urlopen(asked, timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            return str(answer.read().decode())

    pages.append(await asyncio.to_thread(read))


def assert_orders_are_measured(flow: ProcessFlow, page: str, say: Say) -> None:
    """What the lane says is what is counted; latency is known of what a delivery brought."""
    samples = {s.name + str(sorted(s.labels.items())): s.value for s in samples_of(page)}
    kinds = Counter(event.kind for event in flow.events)
    assert (
        samples["stratvector_order_outcomes_total[('outcome', 'filled')]"] == kinds[FillKind.FILLED]
    )
    labels = "[('broker', 'simulated'), ('type', 'market')]"
    count = samples[f"order_latency_seconds_count{labels}"]
    assert 0 < count <= sum(len(decision.orders) for decision in flow.decisions)
    mean = samples[f"order_latency_seconds_sum{labels}"] / count
    assert mean > 0.0
    say(f"order latency: {1e3 * mean:.2f} ms in the mean of {count:.0f} orders, traced")


def assert_latencies_name_traces(page: str, traces: set[str]) -> None:
    """From a bucket of the latency to the trace of an order in it."""
    exemplars = [s.exemplar for s in samples_of(page) if s.name == "order_latency_seconds_bucket"]
    named = {exemplar.labels["trace_id"] for exemplar in exemplars if exemplar is not None}
    assert named
    assert named <= traces


def samples_of(page: str) -> list[Sample]:
    read: Any = text_string_to_metric_families  # OpenMetrics, which the library does not type
    return [s for family in read(page) for s in family.samples]


def assert_traces_are_whole(collector: Collector) -> None:
    """No id twice; each parent and each link is a span that came, and parents are of the trace."""
    ids = Counter(one.span_id for one in collector.spans)
    assert [id for id, count in ids.items() if count > 1] == []
    place = {one.span_id: one for one in collector.spans}
    for one in collector.spans:
        assert set(one.links) <= set(place)
        assert one.span.end_time_unix_nano >= one.span.start_time_unix_nano
        if one.parent:
            assert place[one.parent].trace_id == one.trace_id
        elif one.span.kind != Span.SPAN_KIND_SERVER:  # a question from outside begins its own
            assert (one.service, one.span.name) == ("market_data", "publish bars")


def assert_messages_are_spans(flow: ProcessFlow, collector: Collector) -> None:
    """The flow's table, close by close: who published what, and what it followed from."""
    place = {one.span_id: one for one in collector.spans}
    for close in flow.log.closes:
        trace = trace_of(close.close_time)
        for logged in close.bars.values():
            assert is_of(place[span_of(logged.id)], "bars", trace)
        for signals in close.signals.values():
            one = place[span_of(signals.id)]
            assert is_of(one, "signals", trace)
            assert one.parent == span_of(signals.noun.bars_id)
        report = place[span_of(close.reports[-1].id)]
        assert is_of(report, "fills", trace)
        assert report.parent in {span_of(logged.id) for logged in close.bars.values()}
        orders = place[span_of(close.decision.id)]
        assert is_of(orders, "orders", trace)
        assert orders.parent == report.span_id
        causes = [bars.id for bars in close.bars.values()]
        causes += [signals.id for signals in close.signals.values()]
        assert {span_of(cause) for cause in causes} <= set(orders.links)
    for earlier, later in zip(flow.log.closes, flow.log.closes[1:], strict=False):
        told = [place[span_of(report.id)] for report in later.reports]
        decision = span_of(earlier.decision.id)
        assert any(decision in (*report.links, report.parent) for report in told)


def is_of(one: Collected, noun: str, trace: str) -> bool:
    """Whether a span is a published noun of a trace, by the service that may publish it."""
    (hop,) = (h for h in FLOW if h.noun == noun)
    attributes = one.attributes
    return (
        one.trace_id == trace
        and one.service == hop.producer
        and one.span.name == f"publish {noun}"
        and attributes["messaging.system"] == "nats"
        and attributes["stratvector.noun"] == noun
        and str(attributes["messaging.destination.name"]).startswith(f"{noun}.")
        and int(attributes["stratvector.epoch"]) >= 1
    )


@pytest.mark.slow
def test_collectors_that_are_away_or_never_answer_change_nothing(tmp_path: Path) -> None:
    with running_collector(stalled=True) as stalled:
        turns = zip(SERVICES, cycle((absent_endpoint(), stalled.endpoint)), strict=False)
        endpoints = dict(turns)
        flow = played(tmp_path, SESSION, endpoints)
        assert stalled.spans == []
    assert_equal_to_backtest(SESSION, flow)
    assert flow.told == []
    for service, endpoint in endpoints.items():
        told = events_of(tmp_path / "logs", service)
        assert told["left_behind"] == []
        assert told["stopped"][0]["code"] == 0
        assert {line["collector"] for line in told["spans_lost"]} == {endpoint}
        (total,) = told["spans"]
        assert (total["sent"], total["dropped"] > 0) == (0, True)


@pytest.mark.long
def test_a_killed_owners_heir_makes_no_span_of_what_it_adopts(tmp_path: Path, say: Say) -> None:
    seen: list[tuple[str, str]] = []

    async def kill_risk(run: Running) -> None:
        await run.reach(0.55)  # the killed has sent spans by then
        before = await run.owner("risk")
        while await run.published_by("risk", before) <= 0:
            await asyncio.sleep(0.02)
        kill(before.pid)
        seen.append((before.instance, (await run.new_owner("risk", before)).instance))

    session = generated_session(7, Shape(universes=2, symbols=2, models=3, closes=800))
    with running_collector() as collector:
        endpoints = dict.fromkeys(SERVICES, collector.endpoint)
        flow = played(tmp_path, session, endpoints, kill_risk, {"risk": 2})
    assert_equal_to_backtest(session, flow)
    ids = Counter(one.span_id for one in collector.spans)
    assert [id for id, count in ids.items() if count > 1] == []
    orders = [one for one in collector.spans if one.span.name == "publish orders"]
    by = Counter(one.instance for one in orders)
    ((killed, heir),) = seen
    assert by[killed] > 0
    assert by[heir] > 0
    decided = {span_of(close.decision.id) for close in flow.log.closes}
    assert {one.span_id for one in orders} <= decided
    say(f"{len(decided)} decisions: {by[killed]} spans of the killed, {by[heir]} of its heir")


def events_of(logs: Path, service: str) -> dict[str, list[dict[str, Any]]]:
    """The lines of a service's log, by event."""
    found = defaultdict[str, list[dict[str, Any]]](list)
    for file in logs.glob(f"{service}*"):
        for line in file.read_text().splitlines():
            if line.startswith("{"):
                told = json.loads(line)
                found[told["event"]].append(told)
    return found
