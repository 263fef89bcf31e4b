"""The only place that constructs strategy's parts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stratvector.runtime.chapters import newest_chapter, strategies_in
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.document_code import permit
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.services.strategy.roster import Roster

if TYPE_CHECKING:
    from stratvector.services.strategy.settings import StrategySettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One lane per model of the portfolio."""
    return Roster(ports, deployment.session).tasks()


def serve(settings: "StrategySettings", ports: Ports) -> Service:
    """The lanes of each portfolio, with what answers questions about their models."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.strategy.logged_models import LoggedModels
    from stratvector.services.strategy.metrics import StrategyCollector
    from stratvector.services.strategy.servicer import strategy_servicer

    permit(settings.own_strategies)
    served = Served[LoggedModels]("strategy")
    lanes = Served[Mapping[str, ModelLane]]("strategy")

    async def begin(deployment: Deployment) -> Tasks:
        session = deployment.session
        portfolio = session.portfolio
        standing = await newest_chapter(ports.bus, portfolio.run, portfolio.name)
        # What can't be loaded is told now; earlier versions of a model need not be at hand.
        _ = session.strategies if standing is None else strategies_in(standing.chapter)
        roster = Roster(ports, session)
        served.add(session.portfolio, LoggedModels(ports.bus, session))
        lanes.add(session.portfolio, roster.lanes)
        return roster.tasks()

    return Service(
        begin=begin, servicers=[strategy_servicer(served)], collectors=[StrategyCollector(lanes)]
    )
