"""A collector of spans: a real gRPC server that keeps what it is sent."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from stratvector.runtime.free_ports import free_port


@dataclass(frozen=True)
class Collected:
    """One span and who sent it. parent : empty without one."""

    service: str
    instance: str
    span: Span

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def links(self) -> list[str]:
        return [link.span_id.hex() for link in self.span.links]

    @property
    def attributes(self) -> dict[str, str | int | float]:
        found: dict[str, str | int | float] = {}
        for pair in self.span.attributes:
            kind = pair.value.WhichOneof("value")
            assert kind is not None
            found[pair.key] = getattr(pair.value, kind)
        return found


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span. stalled : while set, calls wait instead of being answered."""

    spans: list[Collected] = field(default_factory=list)
    stalled: bool = False
    ended: Event = field(default_factory=Event)
    endpoint: str = ""

    def Export(  # noqa: N802 - named by the proto
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        if self.stalled:
            self.ended.wait()
        for resource in request.resource_spans:
            told = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert told["service.namespace"] == "stratvector"
            who = told["service.name"], told["service.instance.id"]
            self.spans.extend(
                Collected(*who, span) for scope in resource.scope_spans for span in scope.spans
            )
        return trace_service_pb2.ExportTraceServiceResponse()

    def traces(self) -> dict[str, list[Collected]]:
        """The spans of each trace."""
        found = defaultdict[str, list[Collected]](list)
        for one in self.spans:
            found[one.trace_id].append(one)
        return dict(found)


@contextmanager
def running_collector(stalled: bool = False) -> Iterator[Collector]:
    collector = Collector(stalled=stalled)
    server = grpc.server(ThreadPoolExecutor(8))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    collector.endpoint = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.stop(0).wait()


def absent_endpoint() -> str:
    """Where no collector is."""
    return f"http://127.0.0.1:{free_port()}"
