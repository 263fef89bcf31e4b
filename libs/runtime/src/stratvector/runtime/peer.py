"""peer: one service that is asked over gRPC: every question ends, with an answer or a sentence.

PeerError
├── Away           it does not answer: not configured, or not there
│   ├── TooSlow    it did not answer in time
│   └── Stranger   something else answers, or another version
├── Refused        it says no, with a sentence for who asked
└── Failed         it broke

No sentence names an address or a class: people outside read them, the log has the rest.
"""

import re
from collections.abc import Callable
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from structlog.typing import FilteringBoundLogger

from stratvector.runtime.process.transport import ServiceChannel

ANSWER_SECONDS = 3.0
RECONNECT_MS_MAX = 500
# Services are asked directly: a proxy of the environment knows none of them.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))
REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
# What a library says of itself, not a service of its trouble.
INNER_WORDS = re.compile(r"<class |Traceback|Exception|Error\b|ipv[46]:|://")
Answer = TypeVar("Answer")


class PeerError(Exception):
    """A question without an answer."""


class Away(PeerError):
    """Nobody answers for a service."""


class TooSlow(Away):
    """A service did not answer in time."""


class Stranger(Away):
    """What answers at its address does not know the question."""


class Refused(PeerError):
    """The service can't answer this. code : one of `REFUSALS`."""

    def __init__(
        self, sentence: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT
    ) -> None:
        super().__init__(sentence)
        self.code = code


class Failed(PeerError):
    """The service met an error of its own."""


class Peer:
    """A channel to one service, made at the first question; it reconnects by itself. As a context
    manager it is closed at the end.

    address : host:port, None where the service is not configured. answer_seconds : how long a
    question waits. log : gets what no sentence tells, None where nobody keeps one.
    """

    def __init__(
        self,
        service: str,
        address: str | None,
        answer_seconds: float = ANSWER_SECONDS,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        self.service, self._address = service, address
        self._answer_seconds, self._log = answer_seconds, log
        self._channel: ServiceChannel | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self.close()

    def channel(self) -> grpc.aio.Channel:
        """To make a stub of, for one question. Raises Away."""
        if self._address is None:
            raise Away(f"{self.service} is not configured: {self.service}_grpc names no address")
        if self._channel is None:
            self._channel = ServiceChannel(self.service, self._address, OPTIONS)
        return self._channel.now()

    async def ask(self, method: Any, request: Any, seconds_max: float | None = None) -> Any:
        """The answer. seconds_max : for a question that takes longer than others.

        Raises Away, Refused, Failed.
        """
        seconds = seconds_max or self._answer_seconds
        try:
            return await method(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), error.details() or "no reason given"
            if code not in REFUSALS and self._log is not None:
                self._log.warning("peer_failed", peer=self.service, code=code.name, reason=details)
            raise self._error(code, details, seconds) from None

    async def read(
        self,
        method: Any,
        request: Any,
        read: Callable[[Any], Answer],
        seconds_max: float | None = None,
    ) -> Answer:
        """What the answer says; one that can't be read is the service's failure.

        Raises Away, Refused, Failed.
        """
        found = await self.ask(method, request, seconds_max)
        try:
            return read(found)
        except ValueError as error:
            if self._log is not None:
                self._log.error("answer_unread", peer=self.service, reason=str(error))
            raise Failed(f"{self.service} answered what can't be read; the log tells it") from error

    async def close(self) -> None:
        """Let go of the connection, and of what gRPC's thread lives for."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def _error(self, code: grpc.StatusCode, details: str, seconds: float) -> PeerError:
        if code in REFUSALS:
            return Refused(details, code)
        match code:
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Away(f"{self.service} does not answer")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return TooSlow(f"{self.service} did not answer within {seconds:g} s")
            case grpc.StatusCode.UNIMPLEMENTED:
                return Stranger(f"what answers for {self.service} is none of this version")
            case grpc.StatusCode.PERMISSION_DENIED | grpc.StatusCode.UNAUTHENTICATED:
                return Failed(f"{self.service} refused the question: {details}")
            case grpc.StatusCode.INTERNAL if not INNER_WORDS.search(details):
                return Failed(f"{self.service} failed: {details}")
        return Failed(f"{self.service} failed; its log tells why")
