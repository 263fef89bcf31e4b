"""forwarding: a question that only the owner of a lane can answer, answered by any instance.

    question ─▶ this instance owns the lane ─▶ its servicer
                another does ─▶ once, marked as forwarded, to the address in the lane's lease

While a lane is on its way nobody owns it: the question waits a while for its owner. A question that
came forwarded is answered here or not at all, so none ever goes round. What is forwarded may be
asked twice, when the first owner dies over it: a method of such a servicer must bear that.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import grpc
import grpc.aio

from stratvector.runtime.host import AnsweredFrom, Servicer
from stratvector.runtime.lease import NOBODY, holder
from stratvector.runtime.peer import OPTIONS
from stratvector.runtime.ports import KeyValue
from stratvector.runtime.process.transport import ServiceChannel

FORWARDED = "stratvector-forwarded"
PATIENCE_SECONDS = 2.0
REST_SECONDS = 0.05
MARGIN_SECONDS = 0.25  # of the caller's patience, for the way back
EVERY_ADDRESS = ("0.0.0.0", "::", "")
ELSEWHERE = ("192.0.2.1", 9)  # of the addresses that are nobody's, RFC 5737
AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
LaneOf = Callable[[Any], AnsweredFrom | None]


def address_of(host: str, port: int, before: str = "") -> str:
    """Where others reach a port of this machine; its own address where it listens on every one.

    before : what was told last, which stays while the machine is cut off; empty where nothing was.
    """
    if host in EVERY_ADDRESS:
        host = _way_out() or ("" if before else _address_of_name())
        if not host:
            return before
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _way_out() -> str:
    """The address that this machine's packets bear; empty where none would leave. Nothing is sent,
    and no name is asked for, which would hold everything up while nobody answers.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return address


def _address_of_name() -> str:
    """For a network without a way out."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


class Owners:
    """Who owns lanes, as their leases say, and the ways to them.

    service : whose lanes they are. own_address : this instance's.
    """

    def __init__(self, service: str, key_value: KeyValue, own_address: Callable[[], str]) -> None:
        self._service, self._key_value, self._own_address = service, key_value, own_address
        self._channels: dict[str, ServiceChannel] = {}

    async def address(self, lane: str) -> str:
        """Where the owner of a lane answers; empty where there is none, or none but this one."""
        entry = await self._key_value.get(f"owner.{lane}")
        held = None if entry is None else holder(entry)
        if held is None or held.instance == NOBODY or held.told == self._own_address():
            return ""
        return held.told

    async def ask(self, address: str, method: str, request: bytes, seconds: float) -> bytes:
        """The answer of the instance at an address. Raises AioRpcError."""
        if address not in self._channels:
            self._channels[address] = ServiceChannel(self._service, address, OPTIONS)
        call: Any = self._channels[address].now().unary_unary(method)
        answer = await call(request, timeout=seconds, metadata=((FORWARDED, "1"),))
        return bytes(answer)

    async def forget(self, address: str) -> None:
        """It does not answer; who has gone may have left the address to another."""
        channel = self._channels.pop(address, None)
        if channel is not None:
            await channel.close()

    async def close(self) -> None:
        """Let go of all connections."""
        for address in list(self._channels):
            await self.forget(address)


class Forwarding(grpc.aio.ServerInterceptor):
    """Sends each question of the servicers that name a lane to its owner."""

    def __init__(self, owners: Owners, servicers: Mapping[str, Servicer]) -> None:
        self._owners, self._servicers = owners, servicers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, or one that forwards it."""
        handler: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        servicer = self._servicers.get(method.split("/")[1])
        if handler is None or servicer is None or servicer.lane_of is None:
            return handler
        metadata = handler_call_details.invocation_metadata or ()
        forwarded = any(key == FORWARDED for key, _ in metadata)
        question = _Question(self._owners, method, handler, servicer.lane_of, forwarded)
        return grpc.unary_unary_rpc_method_handler(question.answer)


class _Question:
    """One call. It takes and gives bytes, as most of what it carries is for another instance."""

    def __init__(
        self, owners: Owners, method: str, handler: Any, lane_of: LaneOf, forwarded: bool
    ) -> None:
        self._owners, self._method, self._handler = owners, method, handler
        self._lane_of, self._forwarded = lane_of, forwarded

    async def answer(self, request: bytes, context: Any) -> bytes:
        """From here or from the owner; the call ends UNAVAILABLE where neither is to be had."""
        read, write = self._handler.request_deserializer, self._handler.response_serializer
        asked, loop = read(request) if read else request, asyncio.get_running_loop()
        ends_at = loop.time() + _patience_seconds(context)
        while True:
            place = self._lane_of(asked)
            if place is None or place.is_current:
                answer = await self._handler.unary_unary(asked, context)
                return bytes(write(answer) if write else answer)
            if self._forwarded:
                await _away(context, f"{place.lane} is not answered for here any more")
            if (
                told := await self._owners_answer(place.lane, request, context, ends_at)
            ) is not None:
                return told
            if loop.time() + REST_SECONDS >= ends_at:
                await _away(context, f"nobody answers for {place.lane} now; ask again")
            await asyncio.sleep(REST_SECONDS)

    async def _owners_answer(
        self, lane: str, request: bytes, context: Any, ends_at: float
    ) -> bytes | None:
        """What the owner says, also when it refuses; None when it is not to be had."""
        address = await self._owners.address(lane)
        seconds = ends_at - asyncio.get_running_loop().time()
        if not address or seconds <= 0:
            return None
        try:
            return await self._owners.ask(address, self._method, request, seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AWAY:
                await context.abort(error.code(), error.details() or "")
            await self._owners.forget(address)
            return None


def _patience_seconds(context: Any) -> float:
    """How long a question may wait for an owner: what its caller grants, less the way back."""
    remaining: float | None = context.time_remaining()
    if remaining is None:
        return PATIENCE_SECONDS
    return min(PATIENCE_SECONDS, max(remaining - MARGIN_SECONDS, 0.0))


async def _away(context: Any, sentence: str) -> NoReturn:
    await context.abort(grpc.StatusCode.UNAVAILABLE, sentence)
    raise AssertionError("abort raises")
