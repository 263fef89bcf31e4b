"""What is asked at a session's end, of services that may be away for a moment."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest

from stratvector.cli.platform.companion_figures import _answered
from stratvector.contracts.v1 import monte_carlo_service_pb2 as pb
from stratvector.contracts.v1.monte_carlo_service_pb2_grpc import (
    MonteCarloServiceServicer,
    add_MonteCarloServiceServicer_to_server,
)
from stratvector.runtime.ports import NoAnswer
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.value_at_risk import LEVEL, Question

QUESTION = Question(7, ("A",), (10.0,), (3.0,), 70.0, (0.2,), ((1.0,),), 11)


class Failing(MonteCarloServiceServicer):
    """Ends the first runs with these statuses, then answers."""

    def __init__(self, statuses: Sequence[grpc.StatusCode]) -> None:
        self.statuses, self.asked = list(statuses), 0

    async def RunScenario(  # noqa: N802  the proto's name
        self, request: pb.RunScenarioRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.RunScenarioResponse]:
        self.asked += 1
        yield pb.RunScenarioResponse(progress=pb.ScenarioProgress(done=1, total=2))
        if self.statuses:
            await context.abort(self.statuses.pop(0), "so it is")
        tail = pb.TailRisk(level=LEVEL, value_at_risk=2.0, conditional_value_at_risk=3.0)
        result = pb.ScenarioResult(
            initial_value=100.0, tails=[tail], simulations=request.simulations, seed=request.seed
        )
        yield pb.RunScenarioResponse(result=result)

    async def ListScenarios(  # noqa: N802  the proto's name
        self, request: pb.ListScenariosRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ListScenariosResponse:
        return pb.ListScenariosResponse()


async def answered(service: Failing) -> ValueAtRisk:
    server = grpc.aio.server()
    add_MonteCarloServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        return await _answered(f"127.0.0.1:{port}", QUESTION)
    finally:
        await server.stop(None)


def test_a_run_that_was_cut_is_asked_for_again() -> None:
    service = Failing([grpc.StatusCode.UNAVAILABLE] * 2)
    figure = asyncio.run(answered(service))
    assert service.asked == 3
    assert (figure.as_of, figure.var_95, figure.cvar_95, figure.seed) == (7, 0.02, 0.03, 11)


def test_a_question_that_is_refused_is_asked_once() -> None:
    service = Failing([grpc.StatusCode.INVALID_ARGUMENT])
    with pytest.raises(NoAnswer, match=r": invalid_argument: so it is$"):
        asyncio.run(answered(service))
    assert service.asked == 1
