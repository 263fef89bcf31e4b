"""`stratvector backup` and `stratvector restore`."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.backup.folders import wanted
from stratvector.cli.bus_access import (
    DEFAULT_URL,
    Connect,
    ProvisionerSeedFile,
    Url,
    provisioner,
    user_name,
)
from stratvector.cli.console import remark
from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.outputs import AsJson, check_outputs, emit
from stratvector.cli.provision import REPLICAS, Replicas

if TYPE_CHECKING:
    from rich.console import Console

    from stratvector.cli.backup.ledgers import Ledger

NS_PER_SECOND = 1_000_000_000

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="STRATVECTOR_LEDGER_DATABASE_URL",
        help="The ledger's: sqlite:////path/ledger.db, or postgresql://USER@HOST:5432/NAME.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--database-password-file",
        metavar="FILE",
        envvar="STRATVECTOR_LEDGER_DATABASE_PASSWORD_FILE",
        help="The password of PostgreSQL.",
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="DIR", help="The configuration's folder.")
]
Models = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of model files.")]
Store = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The bars of market_data, as Parquet.")
]
Results = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Results of runs, or of research.")
]
Archives = Annotated[Path | None, typer.Option(metavar="DIR", help="What `archive` has written.")]
Keys = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Seeds, as `provision --keys` made them; kept 0600."),
]


@guarded
def backup_command(
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where backups are kept.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="A backup is FOLDER/NAME-<UTC time>.")
    ] = "stratvector",
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Whole backups of this name that stay; all by default."
        ),
    ] = None,
    nats_url: Url = DEFAULT_URL,
    seed_file: ProvisionerSeedFile = None,
    connect: Connect = 10.0,
    database: Database = None,
    password_file: PasswordFile = None,
    config: Config = None,
    models: Models = None,
    store: Store = None,
    results: Results = None,
    archives: Archives = None,
    keys: Keys = None,
    json: AsJson = None,
) -> None:
    """Copy a platform into a folder while it trades: its log, the ledger, folders that you name.

    The seed is the provisioner's. A backup gets its name when it is whole.
    """
    from stratvector.cli.backup.making import Wanted, make_backup

    check_outputs(json, to, "--to")
    if not name or "/" in name or name.startswith("."):
        raise CommandFailed(f"--name {name!r}: it must be a file's name that begins with no dot")
    named = wanted(_folders(config, models, store, results, archives, keys))
    ledger = _ledger(database, password_file)
    connected = partial(provisioner, nats_url, seed_file, connect, "backup")
    told = asyncio.run(make_backup(Wanted(to, name, keep, ledger, named), connected))
    emit(json, told, _tell_backup, told)


@guarded
def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="FROM", help="One backup's folder.")],
    nats_url: Url = DEFAULT_URL,
    seed_file: ProvisionerSeedFile = None,
    connect: Connect = 10.0,
    replicas: Replicas = 1,
    database: Database = None,
    password_file: PasswordFile = None,
    config: Config = None,
    models: Models = None,
    store: Store = None,
    results: Results = None,
    archives: Archives = None,
    keys: Keys = None,
    json: AsJson = None,
) -> None:
    """Make an empty platform what a backup holds. Every portfolio is held: nobody sends an order
    until `portfolios release`. Services must not run yet. Interrupted, it is run again.
    """
    from stratvector.cli.backup.restoring import Wanted, restore_backup

    check_outputs(json)
    if replicas not in REPLICAS:
        raise CommandFailed(f"--replicas is {replicas}; a stream has 1, 3 or 5 replicas")
    named = wanted(_folders(config, models, store, results, archives, keys))
    ledger = _ledger(database, password_file)
    asked = Wanted(backup, ledger, named, replicas, user_name(), time.time_ns(), remark)
    connected = partial(provisioner, nats_url, seed_file, connect, "restore")
    told = asyncio.run(restore_backup(asked, connected))
    emit(json, told, _tell_restore, told)


def _folders(*given: Path | None) -> Mapping[str, Path | None]:
    from stratvector.cli.backup.folders import KINDS

    return dict(zip(KINDS, given, strict=True))


def _ledger(url: str | None, password_file: Path | None) -> "Ledger | None":
    from stratvector.cli.backup.ledgers import Ledger

    if url is None:
        if password_file is not None:
            raise CommandFailed("--database-password-file goes with --database")
        return None
    return Ledger(url, password_file)


def _tell_backup(console: "Console", told: dict[str, Any]) -> None:
    for key, close_time in sorted(told["closes"].items()):
        console.out(f"{key}: {_until(close_time)}.", highlight=False)
    console.out(f"{told['backup']}: {told['bytes']:,} bytes in {_seconds(told)}.", highlight=False)
    for name in told["removed"]:
        console.out(f"{name}: removed.", highlight=False)


def _tell_restore(console: "Console", told: dict[str, Any]) -> None:
    made_at = datetime.fromtimestamp(told["made_at"] / NS_PER_SECOND, UTC)
    console.out(
        f"{told['backup']}, made by {told['product']} at {made_at:%Y-%m-%d %H:%M:%SZ}: "
        f"{sum(told['messages'].values()):,} messages in {_seconds(told)}.",
        highlight=False,
    )
    for lane, count in sorted(told["left_out"].items()):
        console.out(f"{lane}: {count} messages beyond the cut are left out.", highlight=False)
    if told["ledger_closes"] is not None:
        console.out(f"ledger: {told['ledger_closes']:,} closes verified.", highlight=False)
    for key, close_time in sorted(told["closes"].items()):
        console.out(
            f"{key}: {_until(close_time)}; held until `stratvector portfolios release {key}`.",
            highlight=False,
        )


def _until(close_time: int | None) -> str:
    from stratvector.trading.timestamps import utc_text

    return "nothing is decided yet" if close_time is None else f"decided to {utc_text(close_time)}"


def _seconds(told: dict[str, Any]) -> str:
    seconds = told["seconds"]
    parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
    return f"{sum(seconds.values()):.1f} s ({parts})"
