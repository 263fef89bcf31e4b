"""gRPC: the models of each portfolio, whichever replica runs them; one look, encode."""

from typing import Any

import grpc.aio

from stratvector.contracts.v1 import strategy_service_pb2 as pb
from stratvector.contracts.v1.strategy_service_pb2_grpc import (
    StrategyServiceServicer,
    add_StrategyServiceServicer_to_server,
)
from stratvector.runtime.host import Servicer
from stratvector.runtime.served import Served
from stratvector.services.strategy.logged_models import LoggedModels, ModelState

NAME: str = pb.DESCRIPTOR.services_by_name["StrategyService"].full_name
Context = grpc.aio.ServicerContext[Any, Any]


class StrategyAnswers(StrategyServiceServicer):
    """Answers for every model of each portfolio."""

    def __init__(self, served: Served[LoggedModels]) -> None:
        self._served = served

    async def ListModels(  # noqa: N802  the proto's name
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """Every model of a portfolio, in config order."""
        models = await self._served.asked(request, context)
        return pb.ListModelsResponse(models=map(_message, await models.states()))


def strategy_servicer(served: Served[LoggedModels]) -> Servicer:
    """What the strategy process answers."""
    answers = StrategyAnswers(served)
    return Servicer(NAME, lambda server: add_StrategyServiceServicer_to_server(answers, server))


def _message(state: ModelState) -> pb.ModelRecord:
    return pb.ModelRecord(
        model=state.model,
        strategy=state.strategy,
        universe=state.universe,
        symbols=state.symbols,
        budget_fraction=state.budget_fraction,
        last_close_ns=state.close_time,
        weights=[
            pb.ModelWeight(symbol=row.symbol, weight=row.weight) for row in state.rows if row.weight
        ],
    )
