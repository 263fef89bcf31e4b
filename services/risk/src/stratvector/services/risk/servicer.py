"""gRPC: each portfolio as risk sees it; decode, one look, encode."""

from typing import Any

import grpc
import grpc.aio

from stratvector.contracts.codecs.orders import write_value_at_risk
from stratvector.contracts.v1 import risk_service_pb2 as pb
from stratvector.contracts.v1.risk_service_pb2_grpc import (
    RiskServiceServicer,
    add_RiskServiceServicer_to_server,
)
from stratvector.runtime.host import AnsweredFrom, Servicer
from stratvector.runtime.served import NotServed, Served
from stratvector.services.risk.portfolio_state import Decided, PortfolioState

NAME: str = pb.DESCRIPTOR.services_by_name["RiskService"].full_name
Context = grpc.aio.ServicerContext[Any, Any]


class RiskAnswers(RiskServiceServicer):
    """Answers for each portfolio."""

    def __init__(self, served: Served[Decided]) -> None:
        self._served = served

    async def GetPortfolio(  # noqa: N802  the proto's name
        self, request: pb.GetPortfolioRequest, context: Context
    ) -> pb.GetPortfolioResponse:
        """The portfolio as of the newest decision."""
        decided = await self._served.asked(request, context)
        state = decided.look()
        if state is None:
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"portfolio {decided.portfolio.name!r} has no decision here yet",
            )
        message = _message(state)
        message.run = decided.portfolio.run
        return pb.GetPortfolioResponse(portfolio=message)


def risk_servicer(served: Served[Decided]) -> Servicer:
    """What the risk process answers."""
    answers = RiskAnswers(served)

    def lane_of(request: Any) -> AnsweredFrom | None:
        try:
            return served.of(request.portfolio, request.run).answered_from()
        except NotServed:
            return None

    return Servicer(
        NAME, lambda server: add_RiskServiceServicer_to_server(answers, server), lane_of
    )


def _message(state: PortfolioState) -> pb.PortfolioState:
    decision = state.decision
    message = pb.PortfolioState(
        portfolio=decision.portfolio,
        close_time_ns=decision.close_time,
        equity=decision.equity,
        gross_exposure=decision.gross_exposure,
        drawdown_factor=decision.drawdown_factor,
        halted=decision.halted,
        reduce_only=decision.reduce_only,
        value_at_risk_recorded_at_ns=state.recorded_at,
        value_at_risk_trouble=state.trouble,
    )
    if state.figure is not None:
        write_value_at_risk(message.value_at_risk, state.figure)
    return message
