"""grpc_server: health, reflection and the service's own questions on one port."""

import inspect
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stratvector.runtime.host import Servicer
from stratvector.runtime.process.callers import KnownCallers
from stratvector.runtime.process.forwarding import Forwarding, Owners
from stratvector.runtime.process.handlers import Behaviour, rewrapped
from stratvector.runtime.process.http_port import PortTaken
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.telemetry import server_interceptors
from stratvector.runtime.process.transport import Transport

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Without it the kernel lets two processes listen on one port and deals out the connections.
OPTIONS = (("grpc.so_reuseport", 0),)


class GrpcPort:
    """The gRPC server of a process. Health is NOT_SERVING until it is told otherwise.

    port : the one that is listened on, chosen freely when asked for 0. owners : who is asked what
    this instance can't answer; None where there is nobody else. Made inside the event loop. Raises
    PortTaken. transport : None leaves the port plain, and lets everybody ask.
    """

    def __init__(
        self,
        host: str,
        port: int,
        servicers: Sequence[Servicer],
        owners: Owners | None = None,
        transport: Transport | None = None,
    ) -> None:
        _check_free(host, port)
        self._owners = owners
        interceptors = [*server_interceptors()]
        if transport is not None:
            interceptors.insert(0, KnownCallers(transport.service))
        if owners is not None:
            interceptors.append(Forwarding(owners, {one.name: one for one in servicers}))
        interceptors.append(PlainErrors())
        self._server = grpc.aio.server(options=OPTIONS, interceptors=interceptors)
        self._health = health.aio.HealthServicer()
        self._names = ["", *(servicer.name for servicer in servicers)]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for servicer in servicers:
            servicer.register(self._server)
        shown = [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(shown, self._server)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if transport is None:
            self.port = self._server.add_insecure_port(address)
        else:
            credentials = transport.server_credentials()
            self.port = self._server.add_secure_port(address, credentials)

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
        if self._owners is not None:
            await self._owners.close()


class PlainErrors(grpc.aio.ServerInterceptor):
    """What a servicer did not foresee is told in one sentence: gRPC itself would send the class and
    text of the exception, which are nobody's outside. The log has them.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, told what to do with its failure."""
        handler: Any = await continuation(handler_call_details)
        name = str(handler_call_details.method)
        return None if handler is None else rewrapped(handler, partial(_plain, name))


def _plain(name: str, behaviour: Behaviour) -> Behaviour:
    if inspect.isasyncgenfunction(behaviour):
        return _plain_stream(name, behaviour)
    return _plain_call(name, behaviour) if inspect.iscoroutinefunction(behaviour) else behaviour


def _plain_call(name: str, behaviour: Behaviour) -> Behaviour:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await behaviour(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets one sentence
            await _fail(name, context)

    return answer


def _plain_stream(name: str, behaviour: Behaviour) -> Behaviour:
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for one in behaviour(request, context):
                yield one
        except grpc.aio.AbortError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets one sentence
            await _fail(name, context)

    return answer


async def _fail(name: str, context: Any) -> None:
    logger().error("call_failed", call=name, exc_info=True)
    await context.abort(
        grpc.StatusCode.INTERNAL, f"{name} failed inside the service; its log says how"
    )


def _check_free(host: str, port: int) -> None:
    """gRPC itself says no more than that it failed, and writes to standard error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken("grpc_port", host, port, error.strerror or str(error)) from None
