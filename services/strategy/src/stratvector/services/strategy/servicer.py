"""gRPC: the models that this process runs; one look, encode."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc.aio

from stratvector.contracts.v1 import strategy_service_pb2 as pb
from stratvector.contracts.v1.strategy_service_pb2_grpc import (
    StrategyServiceServicer,
    add_StrategyServiceServicer_to_server,
)
from stratvector.runtime.host import Servicer
from stratvector.services.strategy.model_state import ModelState

NAME: str = pb.DESCRIPTOR.services_by_name["StrategyService"].full_name
Context = grpc.aio.ServicerContext[Any, Any]
Look = Callable[[], Sequence[ModelState]]


class StrategyAnswers(StrategyServiceServicer):
    """Answers for every model of the session."""

    def __init__(self, look: Look) -> None:
        self._look = look

    async def ListModels(  # noqa: N802  the proto's name
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """Every model, in config order."""
        return pb.ListModelsResponse(models=map(_message, self._look()))


def strategy_servicer(look: Look) -> Servicer:
    """What the strategy process answers."""
    answers = StrategyAnswers(look)
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
