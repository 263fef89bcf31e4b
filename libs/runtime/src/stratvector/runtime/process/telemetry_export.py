"""telemetry_export: spans to a collector by OTLP over gRPC; imported only where somebody traces.

    span ends ─▶ bounded queue ─▶ a thread: batches ─▶ collector
                     └─ full ─▶ dropped, counted

A collector that is away delays nobody: what it does not take is dropped and counted, and the log
tells of it once a minute.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from threading import Lock

import grpc.aio
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import (
    aio_client_interceptors,
    aio_server_interceptor,
    filters,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_trace_id, get_current_span
from prometheus_client import Counter

from stratvector.runtime.ports import Bus
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.metrics import ProcessMetrics
from stratvector.runtime.process.traced_bus import MessageSpans, TracedBus

QUEUE_MAX = 8_192  # spans; a replay makes thousands a second
BATCH_MAX = 512
DELAY_MS = 500.0
EXPORT_SECONDS_MAX = 5.0
WARN_SECONDS = 60.0
# What these would log again and again is told once a minute in our words.
LIBRARY_LOGS = ("opentelemetry.exporter.otlp.proto.grpc.exporter", "opentelemetry.sdk")
# Asked every few seconds by whoever watches the process, about nothing that it works on.
NOT_TRACED = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")


class _LastWords(logging.Handler):
    """Keeps what the libraries would have logged of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = "more came than the collector takes"

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the newest, but for those about our own end."""
        text = record.getMessage()
        if "shutdown" not in text.lower():
            self.text = text


class Losses:
    """Counts lost spans and tells of them, at most once a minute.

    total : all of them. last_words : why the newest were lost.
    """

    def __init__(self, endpoint: str, counter: Counter) -> None:
        self._endpoint, self._counter = endpoint, counter
        self._lock = Lock()
        self.total = 0
        self._untold = 0
        self._told_at = -WARN_SECONDS
        self.last_words = _LastWords()
        for name in LIBRARY_LOGS:
            library = logging.getLogger(name)
            library.handlers, library.propagate = [self.last_words], False

    def lose(self, count: int, why: str) -> None:
        """Spans that nobody will see; on any thread."""
        self._counter.inc(count)
        now = time.monotonic()
        with self._lock:
            self.total += count
            self._untold += count
            if now - self._told_at < WARN_SECONDS:
                return
            untold, self._untold, self._told_at = self._untold, 0, now
        logger().warning("spans_lost", collector=self._endpoint, spans=untold, why=why)


class TellingExporter(SpanExporter):
    """Another exporter; what it fails to send is lost, counted and told.

    handed : spans that left the queue. sent : those that the collector took. closed : no more are
    taken.
    """

    def __init__(self, exporter: SpanExporter, losses: Losses, counter: Counter) -> None:
        self._exporter, self._losses, self._counter = exporter, losses, counter
        self.handed = self.sent = 0
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """One batch, sent or lost."""
        self.handed += len(spans)
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on
            if not self.closed:
                self._losses.last_words.text = f"{type(error).__name__}: {error}"
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
            self._counter.inc(len(spans))
        else:
            self._losses.lose(len(spans), self._losses.last_words.text)
        return result

    def shutdown(self) -> None:
        """Cut the call that is under way; further batches fail at once."""
        if not self.closed:
            self.closed = True
            self._exporter.shutdown()


class BoundedQueue(BatchSpanProcessor):
    """The SDK's batches, behind a count of what waits: a span that finds the queue full is lost."""

    def __init__(
        self, exporter: TellingExporter, losses: Losses, queue_max: int = QUEUE_MAX
    ) -> None:
        self._exporter, self._losses, self._queue_max = exporter, losses, queue_max
        self._taken = 0
        self._closing = False
        self._lock = Lock()
        super().__init__(
            exporter,
            max_queue_size=queue_max,
            schedule_delay_millis=DELAY_MS,
            max_export_batch_size=min(BATCH_MAX, queue_max),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span, on any thread, or count it as lost; never waits."""
        with self._lock:
            full = self._taken - self._exporter.handed >= self._queue_max
            if not full and not self._closing:
                self._taken += 1
                super().on_end(span)
                return
        why = self._losses.last_words.text if full else "the process ends"
        self._losses.lose(1, why)

    async def close(self, seconds: float) -> None:
        """Send what waits; when the time is up, give the rest up. Again: nothing."""
        with self._lock:
            closing, self._closing = self._closing, True
        if closing:
            return
        stopping = asyncio.create_task(asyncio.to_thread(self.shutdown), name="last spans")
        done, _ = await asyncio.wait({stopping}, timeout=seconds)
        if not done:
            await asyncio.to_thread(self._exporter.shutdown)
            await asyncio.wait({stopping})
        logger().info("spans", sent=self._exporter.sent, dropped=self._losses.total)


class OtlpTelemetry:
    """Speaks `telemetry.Telemetry` with one collector.

    endpoint : http://HOST:PORT, or https://. Every span names the service and the instance.
    """

    def __init__(self, service: str, instance: str, endpoint: str, metrics: ProcessMetrics) -> None:
        counter = Counter(
            "stratvector_telemetry_spans",
            "The spans that ended, by what became of them.",
            ["outcome"],
            registry=metrics.registry,
        )
        losses = Losses(endpoint, counter.labels("dropped"))
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS_MAX)
        self._queue = BoundedQueue(
            TellingExporter(exporter, losses, counter.labels("sent")), losses
        )
        resource = Resource.create(
            {
                "service.namespace": "stratvector",
                "service.name": service,
                "service.instance.id": instance,
            }
        )
        self.spans = MessageSpans(self._queue.on_end, resource)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._queue)
        wanted = filters.negate(filters.any_of(*(filters.service_name(s) for s in NOT_TRACED)))
        self.server_interceptors: list[grpc.aio.ServerInterceptor] = [
            aio_server_interceptor(provider, wanted)  # type: ignore[no-untyped-call]
        ]
        self.client_interceptors: list[grpc.aio.ClientInterceptor] = [
            *aio_client_interceptors(provider)  # type: ignore[no-untyped-call]
        ]

    def traced(self, bus: Bus) -> Bus:
        """The same bus, with a span for each message that this process stores."""
        return TracedBus(bus, self.spans)

    def trace_id(self) -> str:
        """Of the span that the caller works in, 32 digits; empty outside of any."""
        context = get_current_span().get_span_context()
        return format_trace_id(context.trace_id) if context.is_valid else ""

    async def close(self, seconds: float) -> None:
        """Send what is left, for at most so long; later spans are lost. Again: nothing."""
        await self._queue.close(seconds)
