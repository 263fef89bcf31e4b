"""The gRPC port answers health and reflection, and ends without losing a call."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from stratvector.runtime.host import Servicer
from stratvector.runtime.process.grpc_server import GrpcPort
from stratvector.runtime.process.http_port import PortTaken

HOST = "127.0.0.1"
# Its descriptor is known to every process, so reflection can show it.
NAME = "grpc.reflection.v1alpha.ServerReflection"
SERVING = health_pb2.HealthCheckResponse.SERVING
ASK: Any = reflection_pb2.ServerReflectionRequest
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class SlowReflection(reflection_pb2_grpc.ServerReflectionServicer):
    async def ServerReflectionInfo(  # noqa: N802
        self, request_iterator: Any, context: Any
    ) -> Any:
        async for request in request_iterator:
            await asyncio.sleep(0.3)
            yield reflection_pb2.ServerReflectionResponse(valid_host=request.host)


def play(script: Callable[[GrpcPort, grpc.aio.Channel], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        port = GrpcPort(HOST, 0, [Servicer("planted.Service", lambda server: None)])
        await port.start()
        async with grpc.aio.insecure_channel(f"{HOST}:{port.port}") as channel:
            await script(port, channel)
        await port.stop(1.0)

    asyncio.run(run())


async def health(channel: grpc.aio.Channel, service: str) -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


def test_health_follows_what_it_is_told_for_the_process_and_each_service() -> None:
    async def script(port: GrpcPort, channel: grpc.aio.Channel) -> None:
        for service in ("", "planted.Service"):
            assert await health(channel, service) == NOT_SERVING
            await port.tell(True)
            assert await health(channel, service) == SERVING
            await port.tell(False)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health(channel, "unknown.Service")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND

    play(script)


def test_reflection_lists_every_service() -> None:
    async def script(port: GrpcPort, channel: grpc.aio.Channel) -> None:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        request = ASK(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            names = {service.name for service in answer.list_services_response.service}
        assert names == {"planted.Service", "grpc.health.v1.Health", NAME}

    play(script)


def test_a_call_under_way_is_answered_before_the_end() -> None:
    async def run() -> None:
        slow = SlowReflection()
        method = grpc.stream_stream_rpc_method_handler(
            slow.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler("planted.Slow", {"Ask": method})
        servicer = Servicer("planted.Slow", lambda s: s.add_generic_rpc_handlers((handler,)))
        port = GrpcPort(HOST, 0, [servicer])
        await port.start()
        async with grpc.aio.insecure_channel(f"{HOST}:{port.port}") as channel:
            ask: Any = channel.stream_stream(
                "/planted.Slow/Ask",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            call = ask(iter([ASK(host="me")]))
            answer = asyncio.create_task(call.read())
            await asyncio.sleep(0.1)
            await port.stop(5.0)
            assert (await answer).valid_host == "me"

    asyncio.run(run())


def test_a_taken_port_is_named_with_its_setting() -> None:
    async def script(port: GrpcPort, channel: grpc.aio.Channel) -> None:
        with pytest.raises(PortTaken, match=rf"^grpc_port: can't listen on {HOST}:{port.port}: "):
            GrpcPort(HOST, port.port, [])

    play(script)


async def answer_or_fail(request: bytes, context: Any) -> bytes:
    if request == b"abort":
        await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such host")
    raise KeyError("secret")


async def stream_and_fail(request: bytes, context: Any) -> Any:
    yield b"first"
    await answer_or_fail(request, context)


def plant(server: grpc.aio.Server) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Ask": grpc.unary_unary_rpc_method_handler(answer_or_fail),
        "Stream": grpc.unary_stream_rpc_method_handler(stream_and_fail),
    }
    generic = grpc.method_handlers_generic_handler("planted.Service", handlers)
    server.add_generic_rpc_handlers((generic,))


def test_a_defect_is_told_without_a_class_name_and_a_refusal_as_it_was_said() -> None:
    told: list[tuple[grpc.StatusCode, str | None]] = []

    async def run() -> None:
        port = GrpcPort(HOST, 0, [Servicer("planted.Service", plant)])
        await port.start()
        async with grpc.aio.insecure_channel(f"{HOST}:{port.port}") as channel:
            ask: Any = channel.unary_unary("/planted.Service/Ask")
            stream: Any = channel.unary_stream("/planted.Service/Stream")
            for request in (b"any", b"abort"):
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await ask(request)
                told.append((raised.value.code(), raised.value.details()))
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    assert [one async for one in stream(request)]
                told.append((raised.value.code(), raised.value.details()))
        await port.stop(1.0)

    asyncio.run(run())
    refused = (grpc.StatusCode.NOT_FOUND, "there is no such host")
    assert told == [
        (
            grpc.StatusCode.INTERNAL,
            f"/planted.Service/{call} failed inside the service; its log says how",
        )
        for call in ("Ask", "Stream")
    ] + [refused, refused]
