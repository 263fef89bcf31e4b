"""The only place that constructs ledger's parts."""

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.services.ledger.record import PortfolioRecord


def build(deployment: Deployment, ports: Ports) -> Tasks:
    """The record of the session's portfolio."""
    session = deployment.session
    record = PortfolioRecord(ports, session.portfolio, session.schedule, deployment.ledger_store)
    return Tasks(main=[record.run()], background=[record.lane.keep()])
