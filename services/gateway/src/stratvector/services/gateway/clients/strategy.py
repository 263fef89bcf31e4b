"""strategy: the models that run, and what they want."""

from dataclasses import dataclass

from stratvector.contracts.v1 import strategy_service_pb2 as pb
from stratvector.contracts.v1.strategy_service_pb2_grpc import StrategyServiceStub
from stratvector.runtime.peer import Peer
from stratvector.runtime.served import PortfolioRun


@dataclass(frozen=True)
class Model:
    """One model. budget_fraction : of equity. last_close : ns UTC, None = it has not signalled.

    weights : targets other than 0, fractions of its budget, NaN = the one before is kept.
    """

    name: str
    strategy: str
    universe: str
    symbols: tuple[str, ...]
    budget_fraction: float
    last_close: int | None
    weights: dict[str, float]


class StrategyClient:
    """Questions about one portfolio; each raises PeerError."""

    def __init__(self, peer: Peer, whose: PortfolioRun) -> None:
        self._peer, self._whose = peer, whose

    async def models(self) -> list[Model]:
        """In config order."""
        stub = StrategyServiceStub(self._peer.channel())
        request = pb.ListModelsRequest(portfolio=self._whose.portfolio, run=self._whose.run)
        answer = await self._peer.ask(stub.ListModels, request)
        return [_model(one) for one in answer.models]


def _model(wire: pb.ModelRecord) -> Model:
    return Model(
        name=wire.model,
        strategy=wire.strategy,
        universe=wire.universe,
        symbols=tuple(wire.symbols),
        budget_fraction=wire.budget_fraction,
        last_close=wire.last_close_ns if wire.HasField("last_close_ns") else None,
        weights={one.symbol: one.weight for one in wire.weights},
    )
