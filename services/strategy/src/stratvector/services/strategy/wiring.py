"""The only place that constructs strategy's parts."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.portfolio import ModelAllocation

if TYPE_CHECKING:
    from stratvector.services.strategy.settings import StrategySettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    return _tasks(deployment, ports, {})


def serve(settings: "StrategySettings", ports: Ports) -> Service:
    """The lanes of each portfolio, with what answers questions about their models."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.strategy.logged_models import LoggedModels
    from stratvector.services.strategy.metrics import StrategyCollector
    from stratvector.services.strategy.servicer import strategy_servicer

    served = Served[LoggedModels]("strategy")
    lanes = Served[Mapping[str, ModelLane]]("strategy")

    def begin(deployment: Deployment) -> Tasks:
        session, models = deployment.session, dict[str, ModelLane]()
        tasks = _tasks(deployment, ports, models)
        served.add(session.portfolio, LoggedModels(ports.bus, session))
        lanes.add(session.portfolio, models)
        return tasks

    return Service(
        begin=begin, servicers=[strategy_servicer(served)], collectors=[StrategyCollector(lanes)]
    )


def _tasks(deployment: Deployment, ports: Ports, models: dict[str, ModelLane]) -> Tasks:
    """models : is kept as they are now, by name."""
    session = deployment.session

    def make(model: ModelAllocation) -> Tasks:
        strategy = session.strategies[model.name]
        lane = ModelLane(ports, session.portfolio, model, strategy, session.start)
        models[model.name] = lane
        return Tasks([lane.run()], [lane.lane])

    return Tasks.of([partial(make, model) for model in session.portfolio.models])
