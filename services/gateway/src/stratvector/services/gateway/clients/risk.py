"""risk: the portfolio as of the newest decision, with its value at risk."""

from dataclasses import dataclass

from stratvector.contracts.v1 import orders_pb2
from stratvector.contracts.v1 import risk_service_pb2 as pb
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.runtime.peer import Peer
from stratvector.runtime.served import PortfolioRun


@dataclass(frozen=True)
class ValueAtRisk:
    """By Monte Carlo. as_of : the close that it is about, recorded_at : that weighs it, ns UTC.

    var_95, cvar_95 : positive losses, fractions of equity, over horizon_days.
    """

    as_of: int
    recorded_at: int
    horizon_days: float
    var_95: float
    cvar_95: float
    simulations: int


@dataclass(frozen=True)
class RiskState:
    """As of the decision of a close, ns UTC. trouble : why there is no newer value at risk."""

    close_time: int
    drawdown_factor: float
    halted: bool
    reduce_only: bool
    value_at_risk: ValueAtRisk | None
    trouble: str


class RiskClient:
    """Questions about one portfolio; each raises PeerError."""

    def __init__(self, peer: Peer, whose: PortfolioRun) -> None:
        self._peer = peer
        self._whose = {"portfolio": whose.portfolio, "run": whose.run}

    async def portfolio(self) -> RiskState:
        """The newest decision's."""
        stub = RiskServiceStub(self._peer.channel())
        request = pb.GetPortfolioRequest(**self._whose)
        found = (await self._peer.ask(stub.GetPortfolio, request)).portfolio
        known = found.HasField("value_at_risk")
        return RiskState(
            close_time=found.close_time_ns,
            drawdown_factor=found.drawdown_factor,
            halted=found.halted,
            reduce_only=found.reduce_only,
            value_at_risk=_value_at_risk(found) if known else None,
            trouble=found.value_at_risk_trouble,
        )


def _value_at_risk(found: pb.PortfolioState) -> ValueAtRisk:
    wire: orders_pb2.ValueAtRisk = found.value_at_risk
    return ValueAtRisk(
        as_of=wire.as_of_ns,
        recorded_at=found.value_at_risk_recorded_at_ns,
        horizon_days=wire.horizon_days,
        var_95=wire.var_95,
        cvar_95=wire.cvar_95,
        simulations=wire.simulations,
    )
