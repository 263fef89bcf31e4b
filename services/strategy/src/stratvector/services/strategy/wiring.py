"""The only place that constructs strategy's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.strategy.roster import Roster

if TYPE_CHECKING:
    from stratvector.services.strategy.settings import StrategySettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    return Roster(ports, deployment.session).tasks()


def serve(settings: "StrategySettings", ports: Ports) -> Service:
    """The lanes of each portfolio, with what answers questions about their models."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.strategy.metrics import StrategyCollector
    from stratvector.services.strategy.servicer import Models, strategy_servicer

    served = Served[Models]("strategy")

    def begin(deployment: Deployment) -> Tasks:
        roster = Roster(ports, deployment.session)
        served.add(deployment.session.portfolio, roster.states)
        return roster.tasks()

    return Service(
        begin=begin, servicers=[strategy_servicer(served)], collectors=[StrategyCollector(served)]
    )
