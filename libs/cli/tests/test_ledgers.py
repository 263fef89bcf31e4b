"""`up` asks whichever ledger process answers, and waits for one that is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import pytest

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.ledgers import Ledgers, ledgers_of
from stratvector.cli.platform.ports import HOST, PortPlan, SeatPorts
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.served import PortfolioRun


class Sound(LedgerServiceServicer):
    """A ledger of three closes, all as recorded."""

    async def GetStatus(self, request: Any, context: Any) -> pb.GetStatusResponse:  # noqa: N802
        return pb.GetStatusResponse(status=pb.LedgerStatus(portfolio=request.portfolio, closes=3))

    async def Verify(self, request: Any, context: Any) -> proofs_pb.VerifyResponse:  # noqa: N802
        return proofs_pb.VerifyResponse()


async def serve(port: int, with_ledger: bool = True) -> grpc.aio.Server:
    server = grpc.aio.server()
    if with_ledger:
        planted = type("Planted", (Sound,), {"__abstractmethods__": frozenset()})()
        add_LedgerServiceServicer_to_server(planted, server)
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    return server


def asked(question: Callable[[Ledgers, list[int]], Awaitable[None]]) -> None:
    """Ask two ledger processes, neither of which is there yet."""

    async def play() -> None:
        ports = [free_port(), free_port()]
        seats = {
            name: SeatPorts(port, 0)
            for name, port in zip(("ledger", "ledger-2"), ports, strict=True)
        }
        async with ledgers_of(PortPlan(0, seats), PortfolioRun("replay.1", "main")) as ledgers:
            await question(ledgers, ports)

    asyncio.run(play())


def test_the_one_that_answers_tells_the_status_and_nobody_tells_none() -> None:
    async def question(ledgers: Ledgers, ports: list[int]) -> None:
        assert await ledgers.status() is None
        server = await serve(ports[1])
        while (status := await ledgers.status()) is None:
            await asyncio.sleep(0.05)
        assert (status.portfolio, status.closes) == ("main", 3)
        await server.stop(None)

    asked(question)


def test_a_ledger_that_is_away_is_waited_for_until_it_can_be_verified() -> None:
    async def question(ledgers: Ledgers, ports: list[int]) -> None:
        verifying = asyncio.create_task(ledgers.verify())
        done, _ = await asyncio.wait({verifying}, timeout=0.5)
        assert not done
        server = await serve(ports[0])
        assert (await verifying).passed
        await server.stop(None)

    asked(question)


def test_what_is_no_ledger_is_not_waited_for() -> None:
    async def question(ledgers: Ledgers, ports: list[int]) -> None:
        server = await serve(ports[0], with_ledger=False)
        with pytest.raises(CommandFailed, match=r"^the ledger could not be verified: what answers"):
            await ledgers.verify()
        await server.stop(None)

    asked(question)
