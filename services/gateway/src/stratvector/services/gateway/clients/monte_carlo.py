"""monte_carlo: the scenarios that can be run."""

from dataclasses import dataclass

from stratvector.contracts.v1 import monte_carlo_service_pb2 as pb
from stratvector.contracts.v1.monte_carlo_service_pb2_grpc import MonteCarloServiceStub
from stratvector.runtime.peer import Peer


@dataclass(frozen=True)
class Scenario:
    """What a scenario models, and where it comes from."""

    name: str
    summary: str
    source: str


class MonteCarloClient:
    """Questions to monte_carlo; each raises PeerError."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def scenarios(self) -> list[Scenario]:
        """Ordered by name."""
        stub = MonteCarloServiceStub(self._peer.channel())
        answer = await self._peer.ask(stub.ListScenarios, pb.ListScenariosRequest())
        return [Scenario(one.name, one.summary, one.source) for one in answer.scenarios]
