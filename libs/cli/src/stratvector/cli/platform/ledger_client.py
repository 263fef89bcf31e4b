"""ledger_client: how far the ledger's database is, asked of whichever of its processes answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.ports import HOST, PortPlan
from stratvector.contracts.codecs.ledger_proofs import verification_of
from stratvector.contracts.codecs.ledger_service import status_of
from stratvector.contracts.v1.ledger_proofs_pb2 import VerifyRequest
from stratvector.contracts.v1.ledger_service_pb2 import GetStatusRequest
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.trading.ledger_answers import LedgerStatus
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.portfolio import Portfolio

ANSWER_SECONDS = 2.0
VERIFY_SECONDS_MAX = 3_600.0  # it reads everything that there is
RECONNECT_MS_MAX = 500
AGAIN_SECONDS = 0.25
# Everything is on this machine: no proxy of the environment is asked.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))


class LedgerClient:
    """Questions to the ledger; made by `ledger_client`."""

    def __init__(self, channels: list[grpc.aio.Channel]) -> None:
        self._ledgers = [LedgerServiceStub(channel) for channel in channels]

    async def status(self, portfolio: Portfolio) -> LedgerStatus | None:
        """Committed closes and the account after them; None while nobody answers."""
        for ledger in self._ledgers:
            try:
                answer = await ledger.GetStatus(
                    GetStatusRequest(portfolio=portfolio.name, run=portfolio.run),
                    timeout=ANSWER_SECONDS,
                )
                return status_of(answer.status)
            except grpc.aio.AioRpcError:
                continue
        return None

    async def verify(self) -> Verification:
        """What the first ledger that answers finds in its database. One that dies meanwhile is
        asked again when it is back. Raises CommandFailed for another answer than a verdict.
        """
        while True:
            for ledger in self._ledgers:
                try:
                    request = ledger.Verify(VerifyRequest(), timeout=VERIFY_SECONDS_MAX)
                    return verification_of(await request)
                except grpc.aio.AioRpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        told = error.details() or "it gives no answer"
                        raise CommandFailed(f"the ledger could not be verified: {told}") from None
            await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def ledger_client(ports: PortPlan) -> AsyncIterator[LedgerClient]:
    """A client of every ledger process of a plan."""
    async with AsyncExitStack() as held:
        yield LedgerClient(
            [
                await held.enter_async_context(
                    grpc.aio.insecure_channel(f"{HOST}:{seat.grpc}", options=OPTIONS)
                )
                for name, seat in ports.seats.items()
                if name.startswith("ledger")
            ]
        )
