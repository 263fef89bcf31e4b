"""The only place that constructs execution's parts."""

from typing import TYPE_CHECKING

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Broker, Ports
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.adapters.simulated import SimulatedBrokerAdapter

if TYPE_CHECKING:
    from stratvector.services.execution.order_meter import OrderMeter
    from stratvector.services.execution.settings import ExecutionSettings

SIMULATED = "simulated"


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's account, on the simulated broker unless the deployment brings
    another.
    """
    account = _account(deployment, ports)
    return Tasks(main=[account.run()], lanes=[account.lane])


def serve(settings: "ExecutionSettings", deployment: Deployment, ports: Ports) -> Tasks:
    """The same lane, measured."""
    # The simulated world has no metrics, and need not wait for these.
    from stratvector.services.execution.metrics import OrderMetrics

    metrics = OrderMetrics(SIMULATED)
    account = _account(deployment, ports, metrics)
    return Tasks(main=[account.run()], lanes=[account.lane], collectors=metrics.collectors)


def _account(
    deployment: Deployment, ports: Ports, meter: "OrderMeter | None" = None
) -> AccountLane:
    session = deployment.session
    broker: Broker = SimulatedBrokerAdapter(session.portfolio)
    if deployment.broker is not None:
        broker = deployment.broker(ports)
    return AccountLane(ports, session.portfolio, session.start, broker, meter)
