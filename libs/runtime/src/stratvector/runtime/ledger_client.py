"""ledger_client: the permanent record, asked over gRPC."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from stratvector.contracts.codecs import ledger_proofs as proofs
from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.codecs.orders import OUTCOME_TO_WIRE
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.contracts.v1.orders_pb2 import OUTCOME_UNSPECIFIED
from stratvector.runtime.peer import Peer, Refused
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.explanation import Explanation
from stratvector.trading.ledger_answers import (
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelResult,
    OrderRecord,
    Rejections,
)
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.reasons import Outcome

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
VERIFY_SECONDS_MAX = 3_600.0  # it reads everything that there is
PAGE_SIZE_MAX = 1_000
Record = TypeVar("Record")


@dataclass(frozen=True)
class Range:
    """Closes from a first to a last time, ns UTC; None is open."""

    start: int | None = None
    end: int | None = None

    def message(self) -> pb.CloseRange:
        """On its way out."""
        return pb.CloseRange(start_ns=self.start, end_ns=self.end)


@dataclass(frozen=True)
class Asked:
    """Which page is wanted. cursor : that came with the page before, empty = the first."""

    closes: Range = Range()
    limit: int = 100
    cursor: str = ""
    newest_first: bool = False

    def page(self, noun: str) -> pb.PageRequest:
        """On its way out. noun : of the listing. Raises Refused for another's cursor."""
        token = self.cursor.removeprefix(f"{noun}.")
        if self.cursor and token in (self.cursor, ""):
            raise self.refused(noun)
        return pb.PageRequest(size=self.limit, token=token, newest_first=self.newest_first)

    def refused(self, noun: str) -> Refused:
        """What is said of a cursor that is none."""
        return Refused(
            f"cursor can't be {self.cursor!r}: it must be the next_cursor of a page of {noun}"
        )


@dataclass(frozen=True)
class Page(Generic[Record]):
    """Records in the wanted order. cursor : of the next page, empty = this was the last."""

    records: Sequence[Record]
    cursor: str


ANY = PortfolioRun("", "")  # the only one that there is


class LedgerClient:
    """Questions about one portfolio, or the only one there is; each raises PeerError."""

    def __init__(self, peer: Peer, whose: PortfolioRun = ANY) -> None:
        self._peer = peer
        self._whose: dict[str, Any] = {"portfolio": whose.portfolio, "run": whose.run}

    async def status(self) -> LedgerStatus:
        """How far the record has come."""
        request = pb.GetStatusRequest(**self._whose)
        return await self._peer.read(
            self._stub().GetStatus, request, lambda answer: codec.status_of(answer.status)
        )

    async def orders(self, asked: Asked) -> Page[OrderRecord]:
        """Approved orders."""
        return await self._page(
            "orders", pb.QueryOrdersRequest, self._stub().QueryOrders, codec.order_of, asked
        )

    async def fills(self, asked: Asked) -> Page[FillRecord]:
        """Executions."""
        return await self._page(
            "fills", pb.QueryFillsRequest, self._stub().QueryFills, codec.fill_of, asked
        )

    async def equity(self, asked: Asked) -> Page[EquityRecord]:
        """The account at each close."""
        return await self._page(
            "closes", pb.QueryEquityRequest, self._stub().QueryEquity, codec.equity_of, asked
        )

    async def positions(self, at: int | None = None) -> HeldPositions:
        """What is held after the newest close at or before a time, ns UTC."""
        request = pb.QueryPositionsRequest(**self._whose, at_ns=at)
        return await self._peer.read(self._stub().QueryPositions, request, codec.positions_of)

    async def attribution(self, closes: Range) -> list[ModelResult]:
        """What each model has earned."""
        request = pb.GetAttributionRequest(**self._whose, range=closes.message())
        return await self._peer.read(
            self._stub().GetAttribution,
            request,
            lambda answer: list(map(codec.result_of, answer.models)),
        )

    async def explain(
        self, order_id: str = "", symbol: str = "", at: int | None = None
    ) -> Explanation:
        """Why an order was sent, or the newest decision about a symbol up to a time, ns UTC."""
        request = pb.ExplainRequest(**self._whose, order_id=order_id, symbol=symbol, at_ns=at)
        return await self._peer.read(
            self._stub().Explain,
            request,
            lambda answer: proofs.explanation_of(answer.explanation),
        )

    async def rejections(self, closes: Range, reason: Outcome | None, symbol: str) -> Rejections:
        """Decisions without an order: by reason and symbol, or each close of one symbol."""
        request = pb.QueryRejectionsRequest(
            **self._whose,
            range=closes.message(),
            reason=OUTCOME_UNSPECIFIED if reason is None else OUTCOME_TO_WIRE[reason],
            symbol=symbol,
        )
        return await self._peer.read(self._stub().QueryRejections, request, proofs.rejections_of)

    async def verify(self) -> Verification:
        """Whether the database holds what was recorded."""
        return await self._peer.read(
            self._stub().Verify,
            proofs_pb.VerifyRequest(),
            proofs.verification_of,
            VERIFY_SECONDS_MAX,
        )

    async def _page(
        self,
        noun: str,
        request: Callable[..., Any],
        method: Any,
        read: Callable[[Any], Record],
        asked: Asked,
    ) -> Page[Record]:
        wanted = request(**self._whose, range=asked.closes.message(), page=asked.page(noun))

        def page_of(answer: Any) -> Page[Record]:
            token = answer.next_page_token
            records = [read(one) for one in getattr(answer, noun)]
            return Page(records, f"{noun}.{token}" if token else "")

        try:
            return await self._peer.read(method, wanted, page_of)
        except Refused as error:
            # Range and limit are right, as the question was; what is left is the cursor.
            if asked.cursor and error.code is INVALID_ARGUMENT:
                raise asked.refused(noun) from None
            raise

    def _stub(self) -> LedgerServiceStub:
        return LedgerServiceStub(self._peer.channel())


async def every(listing: Callable[[Asked], Awaitable[Page[Record]]], closes: Range) -> list[Record]:
    """All records of a listing such as `LedgerClient.orders`, page by page."""
    records, cursor = list[Record](), ""
    while True:
        page = await listing(Asked(closes, PAGE_SIZE_MAX, cursor))
        records += page.records
        if not (cursor := page.cursor):
            return records
