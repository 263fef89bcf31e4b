"""The only place that constructs strategy's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.strategy.model_lane import ModelLane

if TYPE_CHECKING:
    from stratvector.services.strategy.settings import StrategySettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    return _tasks(_models(deployment, ports))


def serve(settings: "StrategySettings", ports: Ports) -> Service:
    """The lanes of each portfolio, with what answers questions about their models."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.strategy.metrics import StrategyCollector
    from stratvector.services.strategy.servicer import Models, strategy_servicer

    served = Served[Models]("strategy")

    def begin(deployment: Deployment) -> Tasks:
        models = _models(deployment, ports)
        served.add(deployment.session.portfolio, lambda: [model.state() for model in models])
        return _tasks(models)

    return Service(
        begin=begin, servicers=[strategy_servicer(served)], collectors=[StrategyCollector(served)]
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


def _tasks(models: list[ModelLane]) -> Tasks:
    return Tasks(main=[model.run() for model in models], lanes=[model.lane for model in models])
