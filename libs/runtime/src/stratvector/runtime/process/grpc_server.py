"""grpc_server: health, reflection and the service's own questions on one port."""

import socket
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stratvector.runtime.host import Servicer
from stratvector.runtime.process.http_port import PortTaken
from stratvector.runtime.process.telemetry import server_interceptors

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Without it the kernel lets two processes listen on one port and deals out the connections.
OPTIONS = (("grpc.so_reuseport", 0),)


class GrpcPort:
    """The gRPC server of a process. Health is NOT_SERVING until it is told otherwise.

    port : the one that is listened on, chosen freely when asked for 0. Made inside the event loop.
    Raises PortTaken.
    """

    def __init__(self, host: str, port: int, servicers: Sequence[Servicer]) -> None:
        _check_free(host, port)
        self._server = grpc.aio.server(options=OPTIONS, interceptors=server_interceptors())
        self._health = health.aio.HealthServicer()
        self._names = ["", *(servicer.name for servicer in servicers)]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for servicer in servicers:
            servicer.register(self._server)
        shown = [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(shown, self._server)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.port = self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Answer from now on."""
        await self.tell(False)
        await self._server.start()

    async def tell(self, ready: bool) -> None:
        """What health says of the process and of each of its services."""
        for name in self._names:
            await self._health.set(name, SERVING if ready else NOT_SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those under way end within the grace, cut the rest."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


def _check_free(host: str, port: int) -> None:
    """gRPC itself says no more than that it failed, and writes to standard error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken("grpc_port", host, port, error.strerror or str(error)) from None
