"""callers: who may ask which service over gRPC, by the names in their certificates.

Without TLS a port listens on loopback and everybody there may ask.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from stratvector.runtime.certificates import COMMAND_LINE, identity_of
from stratvector.runtime.process.handlers import Behaviour, rewrapped
from stratvector.runtime.process.logs import logger

ASKED_BY = {
    "ledger": ("gateway",),
    "risk": ("gateway",),
    "strategy": ("gateway",),
    "drift": ("gateway",),
    "research": ("gateway",),
    "monte_carlo": ("gateway", "risk"),
}
NAMES = "x509_subject_alternative_name"


def callers_of(service: str) -> frozenset[str]:
    """The identities that may ask a service: its replicas and the command line always may."""
    return frozenset((identity_of(service), COMMAND_LINE, *ASKED_BY.get(service, ())))


class KnownCallers(grpc.aio.ServerInterceptor):
    """Lets in who presents a certificate of one of the service's callers; stands before all else.

    A call from nobody ends UNAUTHENTICATED, one from another PERMISSION_DENIED.
    """

    def __init__(self, service: str) -> None:
        self._service, self._known = service, callers_of(service)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, behind the question who calls."""
        handler: Any = await continuation(handler_call_details)
        return None if handler is None else rewrapped(handler, self._guarded)

    def _guarded(self, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> Any:
            await self._check(context)
            return await behaviour(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await self._check(context)
            async for one in behaviour(request, context):
                yield one

        return stream if inspect.isasyncgenfunction(behaviour) else call

    async def _check(self, context: Any) -> None:
        names = [name.decode() for name in context.auth_context().get(NAMES, ())]
        if self._known.intersection(names):
            return
        logger().warning("caller_refused", names=names)
        if not names:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, f"{self._service} asks for a certificate"
            )
        told = f"{self._service} answers to {', '.join(sorted(self._known))}, not to {names[0]}"
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, told)
