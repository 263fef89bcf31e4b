"""Sessions that run beside each other, and what their runs and portfolios are called."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from stratvector.runtime.deployment import Deployment, installed_services
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading.session import Session
from tests.sessions.simulated_flow import Flow


def named(session: Session, portfolio: str, run: str) -> Session:
    """The same session of a portfolio with another name, in another run."""
    return replace(session, portfolio=replace(session.portfolio, name=portfolio, run=run))


def run_side_by_side(
    sessions: Sequence[Session], seed: int = 0, faults: Faults | None = None, instances: int = 1
) -> list[Flow]:
    """Run all of them to their ends at once, on one bus and one clock."""
    world = World(seed, faults, horizon_seconds=3_600.0)
    flows = [Flow(session, world, MemoryLedgerStore(), None) for session in sessions]
    names = list[str]()
    for number, flow in enumerate(flows):
        deployment = Deployment(flow.session, flow.store)
        for service, build in installed_services().items():
            names.append(f"{service}.{number}")
            world.add(names[-1], partial(build, deployment), instances=instances)
    world.run(until=names)
    return flows
