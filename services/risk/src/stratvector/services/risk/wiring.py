"""The only place that constructs risk's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.risk.portfolio_lane import PortfolioLane


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's portfolio."""
    session = deployment.session
    portfolio = PortfolioLane(ports, session.portfolio, session.schedule)
    return Tasks(main=[portfolio.run()], background=[portfolio.lane.keep()])
