"""ports: what listens where on 127.0.0.1, all checked before anything starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from stratvector.cli.failures import CommandFailed
from stratvector.runtime.free_ports import free_ports, is_free
from stratvector.trading.flow import HOUSE

HOST = "127.0.0.1"
NATS, GRPC_FIRST, HTTP_FIRST, CONSOLE = 4222, 50051, 9101, 8000
HTTP_OWN = {"drift": 8080}  # where a person looks for a report
PORT_MAX = 65_535


@dataclass(frozen=True)
class SeatPorts:
    """Where one service process answers: gRPC, HTTP for health and metrics, and the gateway's
    console.
    """

    grpc: int
    http: int
    console: int | None = None


@dataclass(frozen=True)
class PortPlan:
    """The bus's port, and those of each service process by name.

    monitor : of NATS's own monitor, which tells everybody who can reach it what clients do, and
    asks nobody who they are; None, as it is unless asked for, is none.
    """

    nats: int
    seats: dict[str, SeatPorts]
    monitor: int | None = None

    def purposes(self) -> Iterator[tuple[int, str]]:
        """Every port with what it is for."""
        yield self.nats, "NATS"
        if self.monitor is not None:
            yield self.monitor, "the monitor of NATS"
        for name, seat in self.seats.items():
            yield seat.grpc, f"gRPC of {name}"
            yield seat.http, f"HTTP of {name}"
            if seat.console is not None:
                yield seat.console, "the console"

    @property
    def console_url(self) -> str | None:
        """Where a browser finds the console; None without a gateway."""
        ports = (seat.console for seat in self.seats.values() if seat.console is not None)
        return next((f"http://localhost:{number}" for number in ports), None)

    def pages(self) -> Iterator[tuple[str, str]]:
        """What a browser can open: title and address, of the services that run."""
        if (console := self.console_url) is not None:
            yield "Console", console
            yield "API", f"{console}/api/docs"
        if (drift := self.seats.get("drift")) is not None:
            yield "Drift", f"http://localhost:{drift.http}"

    def address(self, service: str) -> str | None:
        """host:port of a service's gRPC, its first process's; None where none runs."""
        seat = self.seats.get(service)
        return None if seat is None else f"{HOST}:{seat.grpc}"


def plan_ports(
    seats: Sequence[tuple[str, str]],
    base_port: int | None = None,
    nats_port: int | None = None,
    console_port: int | None = None,
    monitor_port: int | None = None,
) -> PortPlan:
    """Free ports for NATS and for each (name, service).

    base_port : take ports in a row from here instead of the usual ones; 0 takes any that are free.
    nats_port, console_port : of NATS alone, of the console alone. monitor_port : of the monitor of
    NATS, which is off without. Raises CommandFailed: a port is taken, or there is none.
    """
    if base_port is None:
        plan = _usual(seats)
    elif base_port == 0:
        plan = _in_a_row(seats, iter(free_ports(1 + 3 * len(seats))))
    else:
        plan = _in_a_row(seats, count(base_port))
    if nats_port is not None:
        plan = replace(plan, nats=nats_port)
    plan = replace(plan, monitor=monitor_port)
    if console_port is not None:
        moved = {
            name: replace(seat, console=console_port)
            for name, seat in plan.seats.items()
            if seat.console is not None
        }
        plan = replace(plan, seats=plan.seats | moved)
    _check(plan)
    return plan


def taken_ports(plan: PortPlan) -> list[tuple[int, str]]:
    """The ports of a plan that somebody listens on, with what they are for."""
    return [(number, purpose) for number, purpose in plan.purposes() if not is_free(number)]


def usual_plan() -> PortPlan:
    """The ports of a platform without replicas, free or not."""
    return _usual([(service, service) for service in HOUSE])


def _usual(seats: Sequence[tuple[str, str]]) -> PortPlan:
    """A service's first process has its own ports, the others the next free ones above all."""
    further_grpc = filter(is_free, count(GRPC_FIRST + len(HOUSE)))
    further_http = filter(is_free, count(HTTP_FIRST + len(HOUSE)))
    planned: dict[str, SeatPorts] = {}
    for name, service in seats:
        place = HOUSE.index(service)
        http = HTTP_OWN.get(service, HTTP_FIRST + place)
        own = SeatPorts(GRPC_FIRST + place, http, CONSOLE if service == "gateway" else None)
        planned[name] = (
            own if name == service else SeatPorts(next(further_grpc), next(further_http))
        )
    return PortPlan(NATS, planned)


def _in_a_row(seats: Sequence[tuple[str, str]], numbers: Iterator[int]) -> PortPlan:
    nats = next(numbers)
    planned = {
        name: SeatPorts(
            next(numbers), next(numbers), next(numbers) if service == "gateway" else None
        )
        for name, service in seats
    }
    return PortPlan(nats, planned)


def _check(plan: PortPlan) -> None:
    seen: dict[int, str] = {}
    for number, purpose in plan.purposes():
        change = _change(purpose)
        if not 1 <= number <= PORT_MAX:
            raise CommandFailed(
                f"port {number} for {purpose} does not exist; a port is from 1 to {PORT_MAX}, "
                f"{change}"
            )
        if number in seen:
            raise CommandFailed(f"port {number} is for {seen[number]} and for {purpose}; {change}")
        seen[number] = purpose
        if not is_free(number):
            raise CommandFailed(f"port {number} for {purpose} is taken; {change}")


def _change(purpose: str) -> str:
    option = {
        "NATS": "--nats-port",
        "the monitor of NATS": "--nats-monitor-port",
        "the console": "--port",
    }.get(purpose)
    own = f"{option} N moves it, " if option else ""
    return f"{own}--base-port N takes other ports in a row from N (0: any that are free)"
