"""The only place that constructs risk's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.risk.portfolio_lane import PortfolioLane

if TYPE_CHECKING:
    from stratvector.services.risk.settings import RiskSettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's portfolio; nobody is asked for its value at risk."""
    session = deployment.session

    def make() -> Tasks:
        lane = PortfolioLane(
            ports,
            session.portfolio,
            session.start,
            first_chapter(session),
            closes_per_chapter=deployment.closes_per_chapter,
        )
        return Tasks([lane.run()], [lane.lane])

    return Tasks.of([make])


def serve(settings: "RiskSettings", ports: Ports) -> Service:
    """The lane of each portfolio, what asks for its value at risk, and what answers questions
    about it.
    """
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.risk.adapters.monte_carlo import queries_of
    from stratvector.services.risk.metrics import RiskCollector
    from stratvector.services.risk.portfolio_state import Decided
    from stratvector.services.risk.servicer import risk_servicer

    served = Served[Decided]("risk")

    def begin(deployment: Deployment) -> Tasks:
        session = deployment.session

        def make() -> Tasks:
            lane = PortfolioLane(
                ports,
                session.portfolio,
                session.start,
                first_chapter(session),
                queries_of(session.portfolio, settings),
                settings.closes_per_chapter,
            )
            served.add(
                session.portfolio, Decided(session.portfolio, lane.state, lane.answered_from)
            )
            return Tasks([lane.run()], [lane.lane])

        return Tasks.of([make])

    return Service(
        begin=begin, servicers=[risk_servicer(served)], collectors=[RiskCollector(served)]
    )
