"""A question to a service always ends: with its answer, or with one sentence that names it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.ledger_client import Asked, LedgerClient
from stratvector.runtime.peer import Away, Failed, Peer, PeerError, Refused, Stranger, TooSlow
from stratvector.runtime.served import PortfolioRun

PORTFOLIO = "main"


class Ledger(LedgerServiceServicer):
    """Answers one status, whatever it is."""

    def __init__(self, status: pb.LedgerStatus) -> None:
        self._status = status

    async def GetStatus(self, request: Any, context: Any) -> pb.GetStatusResponse:  # noqa: N802
        return pb.GetStatusResponse(status=self._status)

    async def QueryFills(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.QueryFillsResponse:
        """An execution without a price."""
        return pb.QueryFillsResponse(fills=[pb.FillRecord(order_id="x", lots=1)])


@asynccontextmanager
async def serving(port: int, status: pb.LedgerStatus | None) -> AsyncIterator[None]:
    """A gRPC server; without a ledger when there is no status."""
    server = grpc.aio.server()
    if status is not None:
        # What nobody asks here stays unanswered, as the base class has it.
        planted = type("Planted", (Ledger,), {"__abstractmethods__": frozenset()})(status)
        add_LedgerServiceServicer_to_server(planted, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


@asynccontextmanager
async def client_of(port: int, answer_seconds: float = 3.0) -> AsyncIterator[LedgerClient]:
    async with Peer("ledger", f"127.0.0.1:{port}", answer_seconds) as peer:
        yield LedgerClient(peer, PortfolioRun("replay.1", PORTFOLIO))


async def refusal(client: LedgerClient) -> str:
    with pytest.raises(Away) as refused:
        await client.status()
    return str(refused.value)


def test_a_service_that_comes_back_is_asked_again() -> None:
    async def play() -> None:
        port = free_port()
        async with client_of(port) as client:
            away = "ledger does not answer"
            assert await refusal(client) == away
            for closes in (1, 2):
                async with serving(port, pb.LedgerStatus(portfolio=PORTFOLIO, closes=closes)):
                    assert await answered(client) == closes
                assert await refusal(client) == away

    asyncio.run(play())


async def answered(client: LedgerClient) -> int:
    """The number of closes, as soon as the channel has found its server again."""
    while True:
        try:
            return (await client.status()).closes
        except Away:
            await asyncio.sleep(0.05)


def test_a_service_that_takes_the_call_and_says_nothing_is_too_slow() -> None:
    async def play() -> None:
        # The kernel takes the connection, and nobody ever reads it.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with client_of(silent.getsockname()[1], 0.5) as client:
                with pytest.raises(TooSlow, match=r"^ledger did not answer within 0\.5 s$"):
                    await client.status()

    asyncio.run(play())


def test_another_service_at_the_address_is_a_stranger() -> None:
    async def play() -> None:
        port = free_port()
        async with serving(port, None), client_of(port) as client:
            with pytest.raises(Stranger) as refused:
                await client.status()
            assert str(refused.value) == "what answers for ledger is none of this version"

    asyncio.run(play())


def test_an_answer_that_breaks_the_contract_is_the_services_failure() -> None:
    async def play() -> None:
        port = free_port()
        async with serving(port, pb.LedgerStatus()), client_of(port) as client:
            with pytest.raises(Failed, match=r"^ledger answered what can't be read; "):
                await client.fills(Asked())

    asyncio.run(play())


@pytest.mark.parametrize(
    ("code", "said", "kind", "told"),
    [
        (grpc.StatusCode.NOT_FOUND, "there is no order 7", Refused, "there is no order 7"),
        (
            grpc.StatusCode.UNKNOWN,
            "Unexpected <class 'KeyError'>: 'BTC'",
            Failed,
            "ledger failed; its log tells why",
        ),
        (
            grpc.StatusCode.INTERNAL,
            "the database is full",
            Failed,
            "ledger failed: the database is full",
        ),
        (
            grpc.StatusCode.INTERNAL,
            "sqlalchemy.exc.OperationalError: disk",
            Failed,
            "ledger failed; its log tells why",
        ),
        (
            grpc.StatusCode.UNAVAILABLE,
            "failed to connect to ipv4:127.0.0.1:50055",
            Away,
            "ledger does not answer",
        ),
    ],
)
def test_a_failure_is_told_without_classes_and_addresses(
    code: grpc.StatusCode, said: str, kind: type[PeerError], told: str
) -> None:
    async def fail(request: Any, timeout: float) -> Any:
        raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), said)

    with pytest.raises(PeerError) as failed:
        asyncio.run(Peer("ledger", "127.0.0.1:1").ask(fail, None))
    assert (str(failed.value), type(failed.value)) == (told, kind)
