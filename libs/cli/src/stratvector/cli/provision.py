"""`stratvector provision`: the streams, buckets and accounts that the services need on their bus.

    keys and accounts ─▶ files, for whoever starts nats-server
    certificates      ─▶ files, one folder per process
    streams, buckets  ─▶ a nats-server that runs, as its user `provisioner`

Asked again it changes nothing. `up` does the same for its own server; on a cluster this is a job
that runs before the services, which may make nothing themselves.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.bus_access import ProvisionerSeedFile, told_certificates
from stratvector.cli.failures import CommandFailed, guarded
from stratvector.cli.outputs import AsJson, emit

if TYPE_CHECKING:
    from rich.console import Console

FILE_MODE = 0o640
REPLICAS = (1, 3, 5)

Url = Annotated[
    str | None,
    typer.Option(
        "--nats-url",
        metavar="URL",
        envvar="STRATVECTOR_NATS_URL",
        help="Make streams and buckets on this server, such as nats://127.0.0.1:4222.",
    ),
]
Replicas = Annotated[
    int,
    typer.Option(
        metavar="N",
        envvar="STRATVECTOR_STREAM_REPLICAS",
        help="Servers that keep each message: 1, 3 or 5.",
    ),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where the users' seeds and the gateway's token are, or are made."
    ),
]
Accounts = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the accounts that nats-server's configuration needs."),
]
FormerKeys = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="With --keys: seeds whose users are accepted too, until these are used."
    ),
]
CertificatesFolder = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        metavar="DIR",
        help="Where the authority and each identity's certificate are, or are made.",
    ),
]
Renew = Annotated[bool, typer.Option("--renew", help="Make all certificates but the authority's.")]
Names = Annotated[
    str,
    typer.Option(
        metavar="SERVICE=NAME,…",
        help="Further DNS names, or IP addresses, of certificates, such as a cluster's.",
    ),
]
Wait = Annotated[
    float, typer.Option(metavar="S", min=0, help="How long to wait for the server, in seconds.")
]


@guarded
def provision(
    nats_url: Url = None,
    seed_file: ProvisionerSeedFile = None,
    replicas: Replicas = 1,
    keys: Keys = None,
    accounts: Accounts = None,
    former_keys: FormerKeys = None,
    certificates: CertificatesFolder = None,
    renew: Renew = False,
    names: Names = "",
    wait: Wait = 60.0,
    json: AsJson = None,
) -> None:
    """Make what the services need on their bus; what is there already is left as it is."""
    if certificates is None and (renew or names):
        raise CommandFailed("--renew and --names are about certificates: name --certificates too")
    if (keys is None) != (accounts is None):
        raise CommandFailed("--keys and --accounts go together: accounts name the users' keys")
    if former_keys is not None and keys is None:
        raise CommandFailed("--former-keys are accepted beside --keys: name those too")
    if nats_url is None and accounts is None and certificates is None:
        raise CommandFailed(
            "name a server with --nats-url, files with --keys and --accounts, or a folder with "
            "--certificates"
        )
    if replicas not in REPLICAS:
        raise CommandFailed(f"--replicas is {replicas}; a stream has 1, 3 or 5 replicas")
    document: dict[str, object] = {}
    if keys is not None and accounts is not None:
        changed = _write_accounts(keys, former_keys, accounts)
        document |= {"accounts": str(accounts), "accounts_changed": changed}
    if certificates is not None:
        from stratvector.cli.certificates import ensure_certificates, parsed_names

        written = ensure_certificates(certificates, parsed_names(names), renew)
        document |= {"certificates": str(certificates), "certificates_made": written}
    if nats_url is not None:
        seed_file = seed_file or (None if keys is None else _own_seed(keys))
        made = asyncio.run(_provisioned(nats_url, seed_file, replicas, wait))
        document |= {"server": nats_url, "replicas": replicas, "made": list(made)}
    emit(json, document, _tell, document)


def _own_seed(keys: Path) -> Path:
    from stratvector.runtime.jetstream.accounts import PROVISIONER
    from stratvector.runtime.jetstream.keys import KeyFolder

    return KeyFolder(keys).seed_file(PROVISIONER)


def _write_accounts(keys: Path, former: Path | None, file: Path) -> bool:
    """Whether the file says something else than before."""
    from stratvector.runtime.jetstream.accounts import USERS, accounts_config
    from stratvector.runtime.jetstream.keys import KeyFolder

    folder = KeyFolder(keys)
    folder.ensure_token()
    accepted = {} if former is None else _public_keys(former)
    wanted = accounts_config({user: folder.ensure(user) for user in USERS}, accepted)
    if file.exists() and file.read_text(encoding="utf-8") == wanted:
        return False
    part = file.with_name(f".{file.name}.part")
    part.touch(FILE_MODE)
    part.write_text(wanted, encoding="utf-8")
    part.replace(file)
    return True


def _public_keys(keys: Path) -> dict[str, str]:
    """Of the seeds that are in a folder. Raises BadSeedFile."""
    from stratvector.runtime.jetstream.accounts import USERS
    from stratvector.runtime.jetstream.keys import KeyFolder, public_key

    return {user: public_key(KeyFolder(keys).seed_file(user)) for user in USERS}


async def _provisioned(
    url: str, seed_file: Path | None, replicas: int, wait_seconds: float
) -> tuple[str, ...]:
    """The names of what was made. Raises BusConnectionError, BadSeedFile or ProvisioningError."""
    from stratvector.cli.platform.bus import told_to
    from stratvector.runtime.jetstream.connection import connect
    from stratvector.runtime.jetstream.provisioner import provision as make

    # A job of a cluster may have no folder to write to.
    with told_to(sys.stderr, logging.WARNING):
        client = await connect(
            url, seed_file, "provision", wait_seconds, certificates=told_certificates()
        )
        try:
            return await make(client, replicas=replicas)
        finally:
            await client.close()


def _tell(console: "Console", document: dict[str, object]) -> None:
    if "accounts" in document:
        news = "written; nats-server must load it" if document["accounts_changed"] else "unchanged"
        console.out(f"{document['accounts']}: {news}.", highlight=False)
    if "certificates" in document:
        written = document["certificates_made"]
        assert isinstance(written, list)
        news = f"{', '.join(written)} made" if written else "nothing was missing"
        console.out(f"{document['certificates']}: {news}.", highlight=False)
    if "server" in document:
        made = document["made"]
        assert isinstance(made, list)
        news = f"{', '.join(made)} made" if made else "nothing was missing"
        console.out(f"{document['server']}: {news}.", highlight=False)
