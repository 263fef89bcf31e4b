"""The only place that constructs execution's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Broker, Ports
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.adapters.simulated import SimulatedBrokerAdapter


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The lane of the session's account, on the simulated broker unless the deployment brings
    another.
    """
    session = deployment.session
    broker: Broker = SimulatedBrokerAdapter(session.portfolio)
    if deployment.broker is not None:
        broker = deployment.broker(ports)
    account = AccountLane(ports, session.portfolio, session.schedule, broker)
    return Tasks(main=[account.run()], background=[account.lane.keep()])
