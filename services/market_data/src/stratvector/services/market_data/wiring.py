"""The only place that constructs market_data's parts."""

from functools import partial

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.market_data.replay import ReplayLane


def build(deployment: Deployment, ports: Ports, closes_per_s_max: float | None = None) -> Tasks:
    """One replay lane per universe. closes_per_s_max : None is as fast as decisions follow."""
    session = deployment.session
    lanes = [
        ReplayLane(
            ports,
            session.portfolio,
            universe,
            partial(session.sections, universe.name),
            session.bars_hash(universe.name),
            session.schedule,
            deployment.bars_ahead_max,
            closes_per_s_max,
        )
        for universe in session.portfolio.universes
    ]
    return Tasks(main=[replay.run() for replay in lanes], lanes=[r.lane for r in lanes])
