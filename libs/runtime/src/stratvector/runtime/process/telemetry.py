"""telemetry: spans of this process, sent by OpenTelemetry's protocol, or nothing at all.

Without an endpoint no module of OpenTelemetry is imported, no bus is wrapped and no message costs
more. A process has one telemetry, or none; whoever makes gRPC channels asks for their interceptors.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stratvector.runtime.ports import Bus, Spans

if TYPE_CHECKING:
    import grpc.aio

    from stratvector.runtime.process.metrics import ProcessMetrics
    from stratvector.runtime.process.settings import ProcessSettings


class Telemetry(Protocol):
    """What a process that traces has."""

    @property
    def spans(self) -> Spans:
        """For `Ports`."""

    @property
    def server_interceptors(self) -> Sequence["grpc.aio.ServerInterceptor"]:
        """For gRPC servers."""

    @property
    def client_interceptors(self) -> Sequence["grpc.aio.ClientInterceptor"]:
        """For gRPC channels."""

    def traced(self, bus: Bus) -> Bus:
        """The same bus, with a span for each message that this process stores."""

    def trace_id(self) -> str:
        """Of the span that the caller works in, 32 digits; empty outside of any."""

    async def close(self, seconds: float) -> None:
        """Send what is left, for at most so long; later spans are lost. Again: nothing."""


_of_process: list[Telemetry] = []


def start_telemetry(
    service: str, instance: str, settings: "ProcessSettings", metrics: "ProcessMetrics"
) -> Telemetry | None:
    """This process's telemetry, from now on; None when nobody asked for it."""
    if settings.otlp_endpoint is None:
        return None
    # Heavy, and only here: processes without an endpoint never load it.
    from stratvector.runtime.process.telemetry_export import OtlpTelemetry

    telemetry = OtlpTelemetry(service, instance, settings.otlp_endpoint, metrics)
    _of_process.append(telemetry)
    return telemetry


def current_telemetry() -> Telemetry | None:
    """What `start_telemetry` started in this process."""
    return _of_process[-1] if _of_process else None


def current_trace() -> str:
    """The trace of the span that the caller works in; empty without one, or without telemetry."""
    telemetry = current_telemetry()
    return "" if telemetry is None else telemetry.trace_id()


def client_interceptors() -> list["grpc.aio.ClientInterceptor"]:
    """For `grpc.aio.insecure_channel(address, interceptors=…)`: a call continues the trace of the
    message or request that it is made for. Empty without telemetry.
    """
    telemetry = current_telemetry()
    return [] if telemetry is None else [*telemetry.client_interceptors]


def server_interceptors() -> list["grpc.aio.ServerInterceptor"]:
    """For this process's gRPC server; empty without telemetry."""
    telemetry = current_telemetry()
    return [] if telemetry is None else [*telemetry.server_interceptors]
