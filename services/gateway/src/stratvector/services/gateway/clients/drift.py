"""drift: how far each model has moved from its reference."""

from dataclasses import dataclass

from stratvector.contracts.v1 import drift_service_pb2 as pb
from stratvector.contracts.v1.drift_service_pb2_grpc import DriftServiceStub
from stratvector.runtime.peer import Peer


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
    """Questions to drift; each raises PeerError."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def scores(self) -> dict[str, Score]:
        """The newest by model; one that was never scored is left out."""
        stub = DriftServiceStub(self._peer.channel())
        answer = await self._peer.ask(stub.GetScores, pb.GetScoresRequest())
        return {
            one.model: Score(
                one.model, one.close_time_ns, one.score, one.reason, one.band or "unknown"
            )
            for one in answer.models
        }
