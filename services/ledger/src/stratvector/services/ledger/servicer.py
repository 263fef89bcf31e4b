"""gRPC: decode, one question to the database, encode. Reads never wait for the one who writes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import grpc

from stratvector.contracts.codecs import ledger_proofs as proofs
from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.codecs.orders import OUTCOME_FROM_WIRE
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)
from stratvector.runtime.host import Servicer
from stratvector.runtime.served import Served
from stratvector.services.ledger.adapters.database import Away, BadDatabase, LedgerDatabase
from stratvector.services.ledger.adapters.queries import Closes, Found, Ledger, Page
from stratvector.services.ledger.adapters.reasons import NotRecorded, Reasons
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.page_tokens import BadRequest, closes_of, page_of, token_of
from stratvector.services.ledger.portfolio_chapters import PortfolioChapters
from stratvector.trading.explanation import Explanation, NotDecided
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.reasons import Outcome

NAME: str = pb.DESCRIPTOR.services_by_name["LedgerService"].full_name
Answer = TypeVar("Answer")
Record = TypeVar("Record")
Context = grpc.aio.ServicerContext[Any, Any]


class LedgerAnswers(LedgerServiceServicer):
    """Answers for each portfolio, as it is configured."""

    def __init__(self, database: LedgerDatabase, served: Served[PortfolioChapters]) -> None:
        self._database, self._served = database, served

    async def GetStatus(  # noqa: N802  the proto's name
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """How far the record has come."""
        chapters = await self._served.asked(request, context)
        status = await self._ask(request, context, lambda ledger: ledger.status())
        await chapters.read()
        sizes = {one: terms.lot_size for one, terms in chapters.instruments.items()}
        return pb.GetStatusResponse(status=codec.status_message(replace(status, lot_sizes=sizes)))

    async def QueryOrders(  # noqa: N802  the proto's name
        self, request: pb.QueryOrdersRequest, context: Context
    ) -> pb.QueryOrdersResponse:
        """Approved orders, and what has become of them."""
        found = await self._found(request, context, 2, Ledger.orders)
        return pb.QueryOrdersResponse(
            orders=map(codec.order_message, found.records), next_page_token=token_of(found.last)
        )

    async def QueryFills(  # noqa: N802  the proto's name
        self, request: pb.QueryFillsRequest, context: Context
    ) -> pb.QueryFillsResponse:
        """Executions."""
        found = await self._found(request, context, 2, Ledger.fills)
        return pb.QueryFillsResponse(
            fills=map(codec.fill_message, found.records), next_page_token=token_of(found.last)
        )

    async def QueryEquity(  # noqa: N802  the proto's name
        self, request: pb.QueryEquityRequest, context: Context
    ) -> pb.QueryEquityResponse:
        """The account at each close."""
        found = await self._found(request, context, 1, Ledger.equity)
        return pb.QueryEquityResponse(
            closes=map(codec.equity_message, found.records), next_page_token=token_of(found.last)
        )

    async def QueryPositions(  # noqa: N802  the proto's name
        self, request: pb.QueryPositionsRequest, context: Context
    ) -> pb.QueryPositionsResponse:
        """What is held."""
        at = request.at_ns if request.HasField("at_ns") else None
        held = await self._ask(request, context, lambda ledger: ledger.positions(at))
        return codec.positions_message(held)

    async def GetAttribution(  # noqa: N802  the proto's name
        self, request: pb.GetAttributionRequest, context: Context
    ) -> pb.GetAttributionResponse:
        """What each model has earned and paid."""
        closes = await _decoded(context, lambda: closes_of(request.range))
        results = await self._ask(request, context, lambda ledger: ledger.attribution(closes))
        return pb.GetAttributionResponse(models=map(codec.result_message, results))

    async def Explain(  # noqa: N802  the proto's name
        self, request: pb.ExplainRequest, context: Context
    ) -> pb.ExplainResponse:
        """Why, of an order or of a symbol."""
        at = request.at_ns if request.HasField("at_ns") else None

        def question(reasons: Reasons) -> Explanation:
            if request.order_id:
                return reasons.of_order(request.order_id)
            return reasons.of_symbol(request.symbol, at)

        explanation = await self._ask_why(request, context, question)
        return pb.ExplainResponse(explanation=proofs.explanation_message(explanation))

    async def QueryRejections(  # noqa: N802  the proto's name
        self, request: pb.QueryRejectionsRequest, context: Context
    ) -> proofs_pb.QueryRejectionsResponse:
        """Decisions that ended without an order."""
        closes, reason = await _decoded(
            context, lambda: (closes_of(request.range), _reason_of(request))
        )
        found = await self._ask_why(
            request, context, lambda why: why.rejections(closes, reason, request.symbol)
        )
        return proofs.rejections_message(found)

    async def Verify(  # noqa: N802  the proto's name
        self, request: proofs_pb.VerifyRequest, context: Context
    ) -> proofs_pb.VerifyResponse:
        """Whether the database holds what was recorded."""
        try:
            found = await asyncio.to_thread(self._verify)
        except BadDatabase as error:
            await _refuse(context, _code_of(error), error)
        return proofs.verification_message(found)

    def _verify(self) -> Verification:
        # Rows that are not there yet can't be verified; why they can't be made is a finding.
        for one in self._served.values():
            with suppress(BadDatabase), self._database.asked(Key.of_portfolio(one.first)):
                pass
        return self._database.verify()

    async def _ask_why(
        self, request: Any, context: Context, question: Callable[[Reasons], Answer]
    ) -> Answer:
        chapters = await self._served.asked(request, context)
        await chapters.read()

        def asked(ledger: Ledger) -> Answer:
            return question(Reasons(ledger.connection, chapters))

        return await self._ask(request, context, asked)

    async def _found(
        self,
        request: Any,
        context: Context,
        key_size: int,
        question: Callable[[Ledger, Closes, Page], Found[Record]],
    ) -> Found[Record]:
        """A page of records of a range of closes. key_size : numbers that tell a record's place."""
        closes, page = await _decoded(
            context, lambda: (closes_of(request.range), page_of(request.page, key_size))
        )
        return await self._ask(request, context, lambda ledger: question(ledger, closes, page))

    async def _ask(
        self, request: Any, context: Context, question: Callable[[Ledger], Answer]
    ) -> Answer:
        """The answer to a question, or the call ends with a status and a sentence."""
        key = Key.of_portfolio((await self._served.asked(request, context)).first)
        try:
            return await asyncio.to_thread(self._read, key, question)
        except (NotRecorded, NotDecided) as error:
            await _refuse(context, grpc.StatusCode.NOT_FOUND, error)
        except BadDatabase as error:
            await _refuse(context, _code_of(error), error)

    def _read(self, key: Key, question: Callable[[Ledger], Answer]) -> Answer:
        # One transaction: an answer is of one state, whatever is committed meanwhile.
        with self._database.asked(key) as connection:
            return question(Ledger(connection, key))


def ledger_servicer(database: LedgerDatabase, served: Served[PortfolioChapters]) -> Servicer:
    """What the ledger's process answers."""
    answers = LedgerAnswers(database, served)
    return Servicer(NAME, lambda server: add_LedgerServiceServicer_to_server(answers, server))


def _reason_of(request: pb.QueryRejectionsRequest) -> Outcome | None:
    """None is each reason. Raises BadRequest."""
    if not request.reason:
        return None
    try:
        return OUTCOME_FROM_WIRE[request.reason]
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _code_of(error: BadDatabase) -> grpc.StatusCode:
    """A client asks again where the database is only away."""
    return grpc.StatusCode.UNAVAILABLE if isinstance(error, Away) else grpc.StatusCode.INTERNAL


async def _decoded(context: Context, decode: Callable[[], Answer]) -> Answer:
    try:
        return decode()
    except BadRequest as error:
        await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error)


async def _refuse(context: Context, code: grpc.StatusCode, error: Exception) -> NoReturn:
    await context.abort(code, str(error))
