"""drift: how far each model has moved from its reference."""

from dataclasses import dataclass

from stratvector.contracts.v1 import drift_service_pb2 as pb
from stratvector.contracts.v1.drift_service_pb2_grpc import DriftServiceStub
from stratvector.runtime.peer import Peer
from stratvector.runtime.served import PortfolioRun


@dataclass(frozen=True)
class Score:
    """Of one model at a close, ns UTC. score : 0 to 1, NaN = there is none, for a `reason`.

    band : good, warning, critical, or unknown, by the rules of drift.
    """

    model: str
    close_time: int
    score: float
    reason: str
    band: str = "unknown"


class DriftClient:
    """Questions about one portfolio; each raises PeerError."""

    def __init__(self, peer: Peer, whose: PortfolioRun) -> None:
        self._peer, self._whose = peer, whose

    async def scores(self) -> dict[str, Score]:
        """The newest by model; one that was never scored is left out."""
        stub = DriftServiceStub(self._peer.channel())
        request = pb.GetScoresRequest(portfolio=self._whose.portfolio, run=self._whose.run)
        answer = await self._peer.ask(stub.GetScores, request)
        return {
            one.model: Score(
                one.model, one.close_time_ns, one.score, one.reason, one.band or "unknown"
            )
            for one in answer.models
        }
