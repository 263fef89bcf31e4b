"""settings_files: what each service process is told, a YAML file of the session folder each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.ports import HOST, PortPlan

ASKED_BY_GATEWAY = ("ledger", "risk", "strategy", "monte_carlo", "drift", "research")
OWN = ("host", "grpc_port", "http_port")
ON_BUS = ("nats_url", "nats_seed_file")


def given_keys(service: str) -> tuple[str, ...]:
    """The settings of a service that `up` decides."""
    keys = [*OWN]
    if service != "research":
        keys += ON_BUS
    if service == "market_data":
        keys.append("store")
    if service == "ledger":
        keys.append("database_url")
    if service == "risk":
        keys.append("monte_carlo_grpc")
    if service == "gateway":
        keys += ["console_port", "probes", *(f"{one}_grpc" for one in ASKED_BY_GATEWAY)]
    return tuple(keys)


def write_settings(
    session_folder: Path,
    name: str,
    service: str,
    ports: PortPlan,
    nats_url: str,
    seed_file: Path | None,
    verbose: bool,
    wished: Mapping[str, Any] | None = None,
) -> Path:
    """Write the settings of one process; the file. wished : further ones. Raises OSError."""
    folder = session_folder / "settings"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yaml"
    seat = ports.seats[name]
    known: dict[str, Any] = {
        "store": str(session_folder.absolute() / "store"),
        "database_url": f"sqlite:///{session_folder.absolute() / 'ledger.db'}",
        "nats_url": nats_url,
        "nats_seed_file": None if seed_file is None else str(seed_file.absolute()),
        "host": HOST,
        "grpc_port": seat.grpc,
        "http_port": seat.http,
        "console_port": seat.console,
        "probes": {one: f"http://{HOST}:{at.http}" for one, at in ports.seats.items()},
        **{f"{one}_grpc": ports.address(one) for one in ASKED_BY_GATEWAY},
    }
    keys = given_keys(service)
    settings = {key: known[key] for key in known if key in keys and known[key] is not None}
    if service == "strategy":
        # What this user applies here is the user's own program.
        settings["own_strategies"] = True
    settings |= {"verbose_logging": verbose, **(wished or {})}
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return file


def refuse_given_variables(services: Iterable[str], environment: Mapping[str, str]) -> None:
    """The environment wins over a settings file, so what `up` decides must not stand there.

    A service reads its variables in whatever case they are. Raises CommandFailed.
    """
    keys = {
        f"STRATVECTOR_{service}_{key}".upper(): key
        for service in services
        for key in given_keys(service)
    }
    for name, value in environment.items():
        if (key := keys.get(name.upper())) is not None:
            raise CommandFailed(
                f"{name} is {value!r}, but up gives each process its own {key}; unset {name}"
            )
