"""deployment: what a service's `wiring.py` is given, and how the services are found.

A service registers `wiring:build` under the entry point group `stratvector.services`; whoever runs
services (the local platform, the simulation) finds them there, so that no library imports a
service.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Broker, LedgerStore, Ports
from stratvector.trading.flow import SERVICES
from stratvector.trading.session import Session

GROUP = "stratvector.services"
BrokerFactory = Callable[[Ports], Broker]


@dataclass(frozen=True)
class Deployment:
    """One session on one set of ports.

    broker : makes execution's broker; None is the simulated one. ledger_store : where the ledger
    writes.
    """

    session: Session
    ledger_store: LedgerStore
    broker: BrokerFactory | None = None


Build = Callable[[Deployment, Ports], Tasks]


class ServiceMissing(RuntimeError):
    """A service of the flow is not installed."""

    def __init__(self, service: str) -> None:
        super().__init__(f"service {service} is not installed; `make setup` installs every service")
        self.service = service


def installed_services() -> dict[str, Build]:
    """The builder of each service of the flow, in the flow's order. Raises ServiceMissing."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    for service in SERVICES:
        if service not in found:
            raise ServiceMissing(service)
    return {service: found[service].load() for service in SERVICES}
