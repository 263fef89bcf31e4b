"""monte_carlo: the client of the Monte Carlo service, for who asks what a portfolio may lose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from stratvector.contracts.codecs.monte_carlo_service import scenario_request, value_at_risk_of
from stratvector.contracts.v1.monte_carlo_service_pb2_grpc import MonteCarloServiceStub
from stratvector.runtime.ports import NoAnswer
from stratvector.runtime.process.transport import ServiceChannel
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.value_at_risk import Question

ANSWER_SECONDS = 30.0
RECONNECT_MS_MAX = 1_000
# Services talk to each other directly: no proxy of the environment is asked.
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))


class MonteCarloClient:
    """Made by `monte_carlo_client`. address : host:port, as errors name it."""

    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self._address = address
        self._service = MonteCarloServiceStub(channel)

    async def value_at_risk(
        self, question: Question, simulations: int, seconds_max: float = ANSWER_SECONDS
    ) -> ValueAtRisk:
        """The answer to a question, a function of question and simulations. Raises NoAnswer."""
        request = scenario_request(question, simulations)
        try:
            async for step in self._service.RunScenario(request, timeout=seconds_max):
                if step.HasField("result"):
                    return value_at_risk_of(question, step.result)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            sentence = f"monte_carlo at {self._address}: {code.name.lower()}: {error.details()}"
            raise NoAnswer(sentence, code is grpc.StatusCode.UNAVAILABLE) from None
        except ValueError as error:
            raise NoAnswer(f"monte_carlo at {self._address}: {error}") from None
        raise NoAnswer(f"monte_carlo at {self._address} ended its answer without a result")


@asynccontextmanager
async def monte_carlo_client(address: str) -> AsyncIterator[MonteCarloClient]:
    """A client for the time of a block; it connects when it is asked, again and again."""
    channel = ServiceChannel("monte_carlo", address, OPTIONS)
    try:
        yield MonteCarloClient(address, channel.now())
    finally:
        await channel.close()
