"""The only place that constructs execution's parts."""

from functools import partial
from typing import TYPE_CHECKING

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Broker, Ports
from stratvector.runtime.run_clock import RunClock
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.adapters.simulated import SimulatedBrokerAdapter

if TYPE_CHECKING:
    from stratvector.services.execution.order_meter import OrderMeter
    from stratvector.services.execution.settings import ExecutionSettings

SIMULATED = "simulated"


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """A lane for each of the session's accounts, on a simulated broker of its own unless the
    deployment brings another.
    """
    return _tasks(deployment, ports, deployment.absent_after_deadlines)


def serve(settings: "ExecutionSettings", ports: Ports) -> Service:
    """The same lanes for each portfolio, all measured together."""
    # The simulated world has no metrics, and need not wait for these.
    from stratvector.services.execution.metrics import OrderMetrics

    metrics = OrderMetrics(SIMULATED)
    deadlines = settings.absent_after_deadlines
    return Service(
        begin=lambda deployment: _tasks(deployment, ports, deadlines, metrics),
        collectors=metrics.collectors,
    )


def _tasks(
    deployment: Deployment, ports: Ports, deadlines: float, meter: "OrderMeter | None" = None
) -> Tasks:
    session = deployment.session

    def make(name: str) -> Tasks:
        broker: Broker = SimulatedBrokerAdapter(session.portfolio)
        if deployment.broker is not None:
            broker = deployment.broker(ports, name)
        times = session.time_map if isinstance(session, LoggedSession) else None
        run_clock = RunClock(ports.clock, times)
        first = first_chapter(session)
        parts = (session.portfolio, name, session.start, first, broker, run_clock)
        account = AccountLane(ports, *parts, meter, deadlines)
        return Tasks([account.run()], [account.lane])

    return Tasks.of([partial(make, name) for name in session.portfolio.account_names])
