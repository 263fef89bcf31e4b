"""Spans reach a collector in batches, with who sent them; what it does not take is counted, told
once, and holds up nobody.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextvars import Context
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Counter

from stratvector.runtime.host import Servicer
from stratvector.runtime.jetstream.wire import traceparent
from stratvector.runtime.ports import Message, Stored
from stratvector.runtime.process import telemetry_export
from stratvector.runtime.process.grpc_server import GrpcPort
from stratvector.runtime.process.logs import name_the_trace
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.settings import ProcessSettings
from stratvector.runtime.process.telemetry import (
    Telemetry,
    client_interceptors,
    current_telemetry,
    server_interceptors,
    start_telemetry,
)
from stratvector.runtime.process.telemetry_export import (
    QUEUE_MAX,
    BoundedQueue,
    Losses,
    TellingExporter,
)
from stratvector.runtime.process.traced_bus import MessageSpans
from tests.telemetry.collector import Collected, Collector, absent_endpoint, running_collector

HOUR = 3_600 * 10**9
SERVICE = "planted.Answering"
ASK = f"/{SERVICE}/Ask"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as made:
        yield made


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a process of its own, as far as telemetry goes."""
    monkeypatch.setattr("stratvector.runtime.process.telemetry._of_process", [])
    loggers = [logging.getLogger(name) for name in telemetry_export.LIBRARY_LOGS]
    before = [(one, one.handlers, one.propagate) for one in loggers]
    yield
    for one, handlers, propagate in before:
        one.handlers, one.propagate = handlers, propagate


def started(endpoint: str, metrics: ProcessMetrics) -> Telemetry:
    settings = ProcessSettings(otlp_endpoint=endpoint)
    telemetry = start_telemetry("risk", "risk-1", settings, metrics)
    assert telemetry is not None
    return telemetry


def counted(metrics: ProcessMetrics, outcome: str) -> float:
    value = metrics.registry.get_sample_value(
        "stratvector_telemetry_spans_total", {"outcome": outcome}
    )
    return value or 0.0


def test_without_an_endpoint_there_is_no_telemetry() -> None:
    metrics = ProcessMetrics(CollectorRegistry())
    assert start_telemetry("risk", "risk-1", ProcessSettings(), metrics) is None
    assert current_telemetry() is None
    assert name_the_trace(None, "", {}) == {}
    assert [*client_interceptors(), *server_interceptors()] == []
    assert metrics.registry.get_sample_value("stratvector_telemetry_spans_total") is None


def test_what_is_left_is_sent_at_the_end_with_service_and_instance(collector: Collector) -> None:
    metrics = ProcessMetrics(CollectorRegistry())

    async def script() -> None:
        telemetry = started(collector.endpoint, metrics)
        for n in range(3):
            telemetry.spans.open(f"work {n}", HOUR)()
        await telemetry.close(30.0)
        await telemetry.close(30.0)

    asyncio.run(script())
    told = {(one.service, one.instance, one.span.name) for one in collector.spans}
    assert told == {("risk", "risk-1", f"work {n}") for n in range(3)}
    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (3, 0)


def test_more_spans_than_the_queue_holds_are_dropped_and_every_one_is_counted() -> None:
    metrics, extra = ProcessMetrics(CollectorRegistry()), 1_000

    async def script(stalled: Collector) -> None:
        telemetry = started(stalled.endpoint, metrics)
        for _ in range(QUEUE_MAX + telemetry_export.BATCH_MAX + extra):
            telemetry.spans.open("work", HOUR)()
        dropped = counted(metrics, "dropped")
        assert extra <= dropped <= extra + telemetry_export.BATCH_MAX
        await telemetry.close(0.1)
        telemetry.spans.open("too late", HOUR)()

    with running_collector(stalled=True) as stalled:
        asyncio.run(script(stalled))
    total = QUEUE_MAX + telemetry_export.BATCH_MAX + extra + 1
    assert counted(metrics, "sent") + counted(metrics, "dropped") == total


def test_a_collector_that_is_away_is_told_of_once_a_minute_in_one_line(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = ProcessMetrics(CollectorRegistry())
    endpoint = absent_endpoint()

    async def script() -> None:
        telemetry = started(endpoint, metrics)
        for _ in range(QUEUE_MAX + 100):
            telemetry.spans.open("work", HOUR)()
        await telemetry.close(0.1)

    asyncio.run(script())
    assert counted(metrics, "dropped") == QUEUE_MAX + 100
    said = capsys.readouterr().out
    assert said.count("spans_lost") == 1
    assert f"collector={endpoint}" in said
    assert f"dropped={QUEUE_MAX + 100}" in said
    assert caplog.records == []  # what the libraries say of it again and again


def test_an_exporter_with_a_defect_loses_its_spans_and_nothing_else() -> None:
    class Broken(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            raise RuntimeError("planted")

        def shutdown(self) -> None:
            """Nothing is open."""

    counter = Counter("stratvector_telemetry_spans", "Ended spans.", ["outcome"], registry=None)
    losses = Losses("http://127.0.0.1:1", counter.labels("dropped"))

    async def script() -> None:
        queue = BoundedQueue(TellingExporter(Broken(), losses, counter.labels("sent")), losses)
        MessageSpans(queue.on_end, Resource({})).open("work", HOUR)()
        await queue.close(30.0)

    asyncio.run(script())
    assert (losses.total, losses.last_words.text) == (1, "RuntimeError: planted")


LOGGED: list[str | None] = []


async def answer(request: bytes, context: Any) -> bytes:
    LOGGED.append(name_the_trace(None, "", {}).get("trace_id"))
    return request


def register(server: grpc.aio.Server) -> None:
    """A service of one question, whose answer is the question."""
    method: Any = grpc.unary_unary_rpc_method_handler(answer)
    handler = grpc.method_handlers_generic_handler(SERVICE, {"Ask": method})
    server.add_generic_rpc_handlers((handler,))


def test_a_question_over_grpc_continues_the_trace_of_the_message_it_is_asked_for(
    collector: Collector,
) -> None:
    LOGGED.clear()
    metrics = ProcessMetrics(CollectorRegistry())
    trace = traceparent(HOUR, "bars-1").split("-")[1]

    async def ask(port: int) -> None:
        options = (("grpc.enable_http_proxy", 0),)
        interceptors = client_interceptors()
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=options, interceptors=interceptors
        ) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest())
            question: Any = channel.unary_unary(ASK)
            assert await question(b"?") == b"?"

    async def script() -> None:
        telemetry = started(collector.endpoint, metrics)
        port = GrpcPort("127.0.0.1", 0, [Servicer(SERVICE, register)])
        await port.start()
        message = Message("bars.crypto.1H", "bars-1", b"", 1, trace_id=trace)
        telemetry.spans.taken(Stored(message, 1, 0))
        await ask(port.port)
        await port.stop(1.0)
        await telemetry.close(30.0)

    asyncio.run(script())
    asked, answered = (spans_of(collector, ASK, kind) for kind in (3, 2))
    assert asked.trace_id == answered.trace_id == trace
    assert asked.parent == traceparent(HOUR, "bars-1").split("-")[2]
    assert answered.parent == asked.span_id
    assert LOGGED == [trace], "what the answerer logs names its caller's trace"
    health = [one for one in collector.spans if "Health" in one.span.name]
    assert [one.span.kind for one in health] == [3]  # asked by a traced client, not told again


def spans_of(collector: Collector, name: str, kind: int) -> Collected:
    """The one span of a call; kind 2 is the server's, 3 the client's."""
    found = [o for o in collector.spans if o.span.name == name and o.span.kind == kind]
    (one,) = found
    return one


def test_a_span_that_ends_on_another_thread_is_sent_too(collector: Collector) -> None:
    metrics = ProcessMetrics(CollectorRegistry())

    async def script() -> None:
        telemetry = started(collector.endpoint, metrics)
        await asyncio.gather(
            *(asyncio.to_thread(telemetry.spans.open(f"work {n}", HOUR)) for n in range(50))
        )
        await telemetry.close(30.0)

    asyncio.run(script())
    assert len(collector.spans) == 50


def test_a_clock_that_was_set_back_makes_no_span_of_negative_length() -> None:
    ended: list[Any] = []
    spans = MessageSpans(ended.append, Resource({}))
    message = Message("bars.crypto.1H", "id", b"", 1, event_time=HOUR)
    Context().run(spans.stored, message, 2**62)
    assert ended[0].start_time == ended[0].end_time == 2**62
