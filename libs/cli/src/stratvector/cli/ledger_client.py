"""The ledger's process, asked over gRPC page by page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from stratvector.cli.failures import CommandFailed
from stratvector.contracts.codecs import ledger_proofs as proofs
from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.codecs.orders import OUTCOME_TO_WIRE
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
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

ANSWER_SECONDS_MAX = 20.0
VERIFY_SECONDS_MAX = 3_600.0  # it reads everything that there is
PAGE_SIZE = 1_000
# The ledger is asked directly: a proxy of the environment knows no 127.0.0.1 of ours.
OPTIONS = (("grpc.enable_http_proxy", 0),)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Range:
    """Closes from a first to a last time, ns UTC; None is open."""

    start: int | None = None
    end: int | None = None

    def message(self) -> pb.CloseRange:
        """On its way out."""
        return pb.CloseRange(start_ns=self.start, end_ns=self.end)


class LedgerClient:
    """Asks one address; a context manager. Every question raises CommandFailed with a sentence."""

    def __init__(self, address: str, portfolio: str, run: str = "") -> None:
        self._address = address
        self._whose: dict[str, Any] = {"portfolio": portfolio, "run": run}

    def __enter__(self) -> Self:
        self._channel = grpc.insecure_channel(self._address, options=OPTIONS)
        self._stub = LedgerServiceStub(self._channel)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    def status(self) -> LedgerStatus:
        """How far the record has come."""
        request = pb.GetStatusRequest(**self._whose)
        return codec.status_of(self._ask(self._stub.GetStatus, request).status)

    def orders(self, closes: Range) -> Iterator[OrderRecord]:
        """Approved orders."""
        for page in self._pages(self._stub.QueryOrders, pb.QueryOrdersRequest, closes):
            yield from map(codec.order_of, page.orders)

    def fills(self, closes: Range) -> Iterator[FillRecord]:
        """Executions."""
        for page in self._pages(self._stub.QueryFills, pb.QueryFillsRequest, closes):
            yield from map(codec.fill_of, page.fills)

    def equity(self, closes: Range) -> Iterator[EquityRecord]:
        """The account at each close."""
        for page in self._pages(self._stub.QueryEquity, pb.QueryEquityRequest, closes):
            yield from map(codec.equity_of, page.closes)

    def positions(self, at: int | None) -> HeldPositions:
        """What is held."""
        request = pb.QueryPositionsRequest(**self._whose, at_ns=at)
        return codec.positions_of(self._ask(self._stub.QueryPositions, request))

    def attribution(self, closes: Range) -> tuple[ModelResult, ...]:
        """The models' results."""
        request = pb.GetAttributionRequest(**self._whose, range=closes.message())
        answer = self._ask(self._stub.GetAttribution, request)
        return tuple(map(codec.result_of, answer.models))

    def explain_order(self, order_id: str) -> Explanation:
        """Why an order was sent; its id, or the beginning of it."""
        request = pb.ExplainRequest(**self._whose, order_id=order_id)
        return proofs.explanation_of(self._ask(self._stub.Explain, request).explanation)

    def explain_symbol(self, symbol: str, at: int | None) -> Explanation:
        """Why the newest decision about a symbol up to a time (ns UTC) was what it was."""
        request = pb.ExplainRequest(**self._whose, symbol=symbol, at_ns=at)
        return proofs.explanation_of(self._ask(self._stub.Explain, request).explanation)

    def rejections(self, closes: Range, reason: Outcome, symbol: str) -> Rejections:
        """Decisions without an order: by symbol, or each close of one symbol."""
        request = pb.QueryRejectionsRequest(
            **self._whose,
            range=closes.message(),
            reason=OUTCOME_TO_WIRE[reason],
            symbol=symbol,
        )
        return proofs.rejections_of(self._ask(self._stub.QueryRejections, request))

    def verify(self) -> Verification:
        """Whether the database holds what was recorded."""
        answer = self._ask(self._stub.Verify, proofs_pb.VerifyRequest(), VERIFY_SECONDS_MAX)
        return proofs.verification_of(answer)

    def _pages(self, call: Any, request: Callable[..., Any], closes: Range) -> Iterator[Any]:
        token = ""
        while True:
            page = pb.PageRequest(size=PAGE_SIZE, token=token)
            answer = self._ask(call, request(**self._whose, range=closes.message(), page=page))
            yield answer
            token = answer.next_page_token
            if not token:
                return

    def _ask(
        self,
        call: Callable[..., Answer],
        request: object,
        seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> Answer:
        try:
            return call(request, timeout=seconds_max)
        except grpc.RpcError as error:
            raise CommandFailed(self._sentence(error, seconds_max)) from error

    def _sentence(self, error: Any, seconds_max: float) -> str:
        match error.code():
            case grpc.StatusCode.UNAVAILABLE:
                return f"nothing answers at {self._address}: is the platform up?"
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return f"{self._address} did not answer within {seconds_max:g} s"
            case grpc.StatusCode.UNIMPLEMENTED:
                return f"what answers at {self._address} is no ledger"
        return str(error.details())
