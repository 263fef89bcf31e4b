"""The only place that constructs risk's parts."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.served import Served
from stratvector.services.risk.portfolio_lane import PortfolioLane

if TYPE_CHECKING:
    from stratvector.services.risk.settings import RiskSettings
    from stratvector.services.risk.value_at_risk_queries import ValueAtRiskQueries
    from stratvector.trading.portfolio import Portfolio


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's portfolio; nobody is asked for its value at risk."""
    limits = (deployment.closes_per_chapter, deployment.signals_deadline_seconds)
    return _tasks(deployment, ports, limits, lambda portfolio: None, lambda lane: None)


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
        portfolio = deployment.session.portfolio

        def answer_from(lane: PortfolioLane) -> None:
            served.add(portfolio, Decided(portfolio, lane.state, lane.answered_from))

        queries = partial(queries_of, settings=settings)
        limits = (settings.closes_per_chapter, settings.signals_deadline_seconds)
        return _tasks(deployment, ports, limits, queries, answer_from)

    return Service(
        begin=begin, servicers=[risk_servicer(served)], collectors=[RiskCollector(served)]
    )


def _tasks(
    deployment: Deployment,
    ports: Ports,
    limits: tuple[int, float],
    queries_of: "Callable[[Portfolio], ValueAtRiskQueries | None]",
    made: Callable[[PortfolioLane], None],
) -> Tasks:
    """limits : closes per chapter, and the deadline of signals in seconds. made : told of the lane,
    each time that it begins anew.
    """
    session = deployment.session

    def make() -> Tasks:
        lane = PortfolioLane(
            ports,
            session.portfolio,
            session.start,
            first_chapter(session),
            queries_of(session.portfolio),
            *limits,
        )
        made(lane)
        return Tasks([lane.run()], [lane.lane])

    return Tasks.of([make])
