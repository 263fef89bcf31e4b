"""The only place that constructs market_data's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.replay import ReplayLane


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """One replay lane per universe."""
    session = deployment.session
    lanes = [
        ReplayLane(ports, session.portfolio, u, session.histories[u.name], session.schedule)
        for u in session.portfolio.universes
    ]
    return Tasks(main=[replay.run() for replay in lanes], background=[r.lane.keep() for r in lanes])
