"""ledgers: how far the ledger's database is, asked of whichever of its processes answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.ports import HOST, PortPlan
from stratvector.runtime.ledger_client import LedgerClient
from stratvector.runtime.peer import Away, Peer, PeerError
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.ledger_answers import LedgerStatus
from stratvector.trading.ledger_verification import Verification

ANSWER_SECONDS = 2.0
AGAIN_SECONDS = 0.25


class Ledgers:
    """Questions to every ledger process of a plan; made by `ledgers_of`."""

    def __init__(self, clients: Sequence[LedgerClient]) -> None:
        self._clients = clients

    async def status(self) -> LedgerStatus | None:
        """Committed closes and the account after them; None while nobody answers."""
        for client in self._clients:
            try:
                return await client.status()
            except PeerError:
                continue
        return None

    async def verify(self) -> Verification:
        """What the first ledger that answers finds in its database. One that dies meanwhile is
        asked again when it is back. Raises CommandFailed for another answer than a verdict.
        """
        while True:
            for client in self._clients:
                try:
                    return await client.verify()
                except PeerError as error:
                    if type(error) is not Away:
                        told = f"the ledger could not be verified: {error}"
                        raise CommandFailed(told) from None
            await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def ledgers_of(ports: PortPlan, whose: PortfolioRun) -> AsyncIterator[Ledgers]:
    """Those of a plan, about one portfolio in its run."""
    async with AsyncExitStack() as held:
        seats = [seat for name, seat in ports.seats.items() if name.startswith("ledger")]
        peers = [Peer("ledger", f"{HOST}:{seat.grpc}", ANSWER_SECONDS) for seat in seats]
        for peer in peers:
            await held.enter_async_context(peer)
        yield Ledgers([LedgerClient(peer, whose) for peer in peers])
