"""replicas: how many processes of each service run, one owner of each lane and standbys."""

from collections.abc import Mapping

from stratvector.cli.failures import CommandFailed
from stratvector.trading.flow import HOUSE

REPLICAS_MAX = 16
SINGLE = ("drift", "research", "gateway")  # each holds a port or a folder that users know
EXAMPLE = "such as --replicas risk=2,strategy=2"


def parse_replicas(text: str | None) -> Mapping[str, int]:
    """The count of each service, in the flow's order; 1 where nothing is said.

    Raises CommandFailed.
    """
    counts = dict.fromkeys(HOUSE, 1)
    named: set[str] = set()
    for part in (text or "").split(",") if text is not None else ():
        service, sign, count = (word.strip() for word in part.partition("="))
        if not sign:
            raise CommandFailed(f"--replicas {text!r}: {part!r} is not SERVICE=COUNT, {EXAMPLE}")
        if service not in counts:
            raise CommandFailed(
                f"--replicas {text!r}: there is no service {service!r}; "
                f"the services are {', '.join(HOUSE)}"
            )
        if service in named:
            raise CommandFailed(f"--replicas {text!r}: {service} is named twice; keep one")
        named.add(service)
        counts[service] = _count(text or "", service, count)
        if service in SINGLE and counts[service] > 1:
            raise CommandFailed(f"--replicas {text!r}: of {service} one process runs on a machine")
    return counts


def seat_names(replicas: Mapping[str, int]) -> list[tuple[str, str]]:
    """(name, service) of each process: risk, risk-2, …, in the flow's order."""
    return [
        (service if number == 1 else f"{service}-{number}", service)
        for service, count in replicas.items()
        for number in range(1, count + 1)
    ]


def _count(text: str, service: str, count: str) -> int:
    if count.isascii() and count.isdigit() and 1 <= int(count) <= REPLICAS_MAX:
        return int(count)
    raise CommandFailed(
        f"--replicas {text!r}: {service} is {count!r}; "
        f"it must be a whole number from 1 to {REPLICAS_MAX}"
    )
