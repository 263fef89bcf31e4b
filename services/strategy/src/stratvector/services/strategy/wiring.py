"""The only place that constructs strategy's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.strategy.model_lane import ModelLane


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    session = deployment.session
    lanes = []
    for model in session.portfolio.models:
        closes = session.schedule.closes_of(model.universe)
        lanes.append(
            ModelLane(
                ports,
                session.portfolio,
                model,
                session.strategies[model.name],
                session.start,
                int(closes[-1]),
            )
        )
    return Tasks(main=[lane.run() for lane in lanes], background=[m.lane.keep() for m in lanes])
