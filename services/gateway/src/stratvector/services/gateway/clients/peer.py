"""peer: one service that is asked over gRPC: every question ends, with an answer or a sentence.

PeerError
├── Away         it does not answer: not configured, not there, or something else
│   └── TooSlow  it did not answer in time
├── Refused      it says no, with a sentence for who asked
└── Failed       it broke

No sentence names an address or a class: people outside read them, the log has the rest.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
import grpc.aio

from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.telemetry import client_interceptors

ANSWER_SECONDS = 3.0
RECONNECT_MS_MAX = 500
# The services are asked directly: a proxy of the environment knows none of them.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))
INVALID = 422
REFUSALS: Mapping[grpc.StatusCode, int] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: INVALID,
        grpc.StatusCode.NOT_FOUND: 404,
        grpc.StatusCode.FAILED_PRECONDITION: 409,
        grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    }
)
# What a library says of itself, not a service of its trouble.
INNER_WORDS = re.compile(r"<class |Traceback|Exception|Error\b|ipv[46]:|://")
Answer = TypeVar("Answer")


class PeerError(Exception):
    """A question without an answer. status : of the HTTP answer that says so."""

    status = 503


class Away(PeerError):
    """Nobody answers for a service."""


class TooSlow(Away):
    """A service did not answer in time."""

    status = 504


class Refused(PeerError):
    """The service can't answer this."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Failed(PeerError):
    """The service met an error of its own."""


class Peer:
    """A channel to one service, made at the first question; it reconnects by itself.

    address : host:port, None where the service is not configured.
    """

    def __init__(self, service: str, address: str | None) -> None:
        self.service, self._address = service, address
        self._channel: grpc.aio.Channel | None = None

    def channel(self) -> grpc.aio.Channel:
        """To make a stub of. Raises Away."""
        if self._address is None:
            raise Away(f"{self.service} is not configured: {self.service}_grpc names no address")
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(
                self._address, options=OPTIONS, interceptors=client_interceptors()
            )
        return self._channel

    async def ask(self, method: Any, request: Any) -> Any:
        """The answer. Raises Away, Refused, Failed."""
        try:
            return await method(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), error.details() or "no reason given"
            if code not in REFUSALS:
                logger().warning("peer_failed", peer=self.service, code=code.name, reason=details)
            raise self._error(code, details) from None

    async def read(self, method: Any, request: Any, read: Callable[[Any], Answer]) -> Answer:
        """What the answer says; one that can't be read is the service's failure.

        Raises Away, Refused, Failed.
        """
        found = await self.ask(method, request)
        try:
            return read(found)
        except ValueError as error:
            logger().error("answer_unread", peer=self.service, reason=str(error))
            raise Failed(f"{self.service} answered what can't be read; the log tells it") from error

    async def close(self) -> None:
        """Let go of the connection, and of what gRPC's thread lives for."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def _error(self, code: grpc.StatusCode, details: str) -> PeerError:
        if code in REFUSALS:
            return Refused(details, REFUSALS[code])
        match code:
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Away(f"{self.service} does not answer")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return TooSlow(f"{self.service} did not answer within {ANSWER_SECONDS:g} s")
            case grpc.StatusCode.UNIMPLEMENTED:
                return Away(f"what answers for {self.service} is none of this version")
            case grpc.StatusCode.INTERNAL if not INNER_WORDS.search(details):
                return Failed(f"{self.service} failed: {details}")
        return Failed(f"{self.service} failed; its log tells why")
