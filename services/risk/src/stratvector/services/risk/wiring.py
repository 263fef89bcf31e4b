"""The only place that constructs risk's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.risk.portfolio_lane import PortfolioLane

if TYPE_CHECKING:
    from stratvector.services.risk.settings import RiskSettings


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's portfolio; nobody is asked for its value at risk."""
    session = deployment.session
    portfolio = PortfolioLane(
        ports,
        session.portfolio,
        session.start,
        first_chapter(session),
        closes_per_chapter=deployment.closes_per_chapter,
    )
    return Tasks(main=[portfolio.run()], lanes=[portfolio.lane])


def serve(settings: "RiskSettings", deployment: Deployment, ports: Ports) -> Tasks:
    """The lane, what asks for its value at risk, and what answers questions about it."""
    # The simulated world has no gRPC, and need not wait for these.
    from stratvector.services.risk.adapters.monte_carlo import queries_of
    from stratvector.services.risk.metrics import RiskCollector
    from stratvector.services.risk.servicer import risk_servicer

    session = deployment.session
    queries = queries_of(session.portfolio, settings)
    portfolio = PortfolioLane(
        ports,
        session.portfolio,
        session.start,
        first_chapter(session),
        queries,
        settings.closes_per_chapter,
    )
    return Tasks(
        main=[portfolio.run()],
        lanes=[portfolio.lane],
        servicers=[risk_servicer(session.portfolio.name, portfolio.state)],
        collectors=[RiskCollector(session.portfolio, portfolio.state)],
    )
