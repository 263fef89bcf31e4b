"""The only place that constructs strategy's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.strategy.model_lane import ModelLane

if TYPE_CHECKING:
    from stratvector.services.strategy.model_state import ModelState
    from stratvector.services.strategy.settings import StrategySettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    models = _models(deployment, ports)
    return Tasks(main=[model.run() for model in models], lanes=[model.lane for model in models])


def serve(settings: "StrategySettings", deployment: Deployment, ports: Ports) -> Tasks:
    """The lanes, with what answers questions about their models."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.strategy.metrics import StrategyCollector
    from stratvector.services.strategy.servicer import strategy_servicer

    models = _models(deployment, ports)

    def look() -> list["ModelState"]:
        return [model.state() for model in models]

    return Tasks(
        main=[model.run() for model in models],
        lanes=[model.lane for model in models],
        servicers=[strategy_servicer(look)],
        collectors=[StrategyCollector(look)],
    )


def _models(deployment: Deployment, ports: Ports) -> list[ModelLane]:
    session = deployment.session
    return [
        ModelLane(
            ports,
            session.portfolio,
            model,
            session.strategies[model.name],
            session.start,
        )
        for model in session.portfolio.models
    ]
