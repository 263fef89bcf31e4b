"""deployment: what a service's `wiring.py` is given, and how the services are found.

A service registers `wiring:build` under the entry point group `stratvector.services`; whoever runs
services (the local platform, the simulation) finds them there, so that no library imports a
service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Broker, LedgerStore, Ports
from stratvector.trading.chapters import CLOSES_PER_CHAPTER
from stratvector.trading.flow import BARS_AHEAD_MAX, SERVICES
from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    from stratvector.trading.strategy import Strategy

# Time for the heir of a strategy process that was killed (a lease, a start, a chapter to read), and
# little beside the shortest bars, a minute, whose next decision must not be held up.
SIGNALS_DEADLINE_SECONDS = 10.0
# market_data says something of each close at its deadline at the latest, so a universe that is
# silent for one more has no feed: its process is gone, or the store can't be reached. Fewer would
# call absent what a busy machine is late with; more would hold up the other universes longer.
ABSENT_AFTER_DEADLINES = 2.0
GROUP = "stratvector.services"
BrokerFactory = Callable[[Ports, str], Broker]  # of an account, by its name


class SessionParts(Protocol):
    """What every service asks of a session: a `Session` in memory, or a `LoggedSession`.

    Only strategy asks for strategies, so that no other process loads them.
    """

    @property
    def portfolio(self) -> Portfolio: ...

    @property
    def start(self) -> int: ...

    @property
    def closes(self) -> int | None:
        """How many closes trade; None where nobody knows an end."""

    @property
    def last_close(self) -> int | None:
        """The last close, ns UTC; None where nobody knows an end."""

    @property
    def strategies(self) -> Mapping[str, "Strategy"]: ...


@dataclass(frozen=True)
class Deployment:
    """One session on one set of ports.

    broker : makes execution's broker; None is the simulated one. ledger_store : where the ledger
    writes. bars_ahead_max : closes that bars may run ahead of decisions. closes_per_chapter : after
    so many decisions the next chapter opens. signals_deadline_seconds : how long risk waits for
    signals in a run that has deadlines. absent_after_deadlines : how many of market_data's
    deadlines a universe may be silent there while others have bars. later : sessions in memory that
    documents may want while this one runs, where bars come from memory.
    """

    session: SessionParts
    ledger_store: LedgerStore
    broker: BrokerFactory | None = None
    bars_ahead_max: int = BARS_AHEAD_MAX
    closes_per_chapter: int = CLOSES_PER_CHAPTER
    signals_deadline_seconds: float = SIGNALS_DEADLINE_SECONDS
    absent_after_deadlines: float = ABSENT_AFTER_DEADLINES
    later: Sequence[SessionParts] = ()


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
