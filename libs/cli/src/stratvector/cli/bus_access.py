"""bus_access: the options with which a command reaches a platform's bus, its connection, and who
reaches it.
"""

import getpass
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from stratvector.runtime.certificates import Certificates
    from stratvector.runtime.documents import Documents
    from stratvector.runtime.holds import Holds
    from stratvector.runtime.jetstream.connection import BusClient
    from stratvector.runtime.ports import Bus, KeyValue

DEFAULT_URL = "nats://127.0.0.1:4222"

Url = Annotated[
    str,
    typer.Option("--nats-url", metavar="URL", envvar="STRATVECTOR_NATS_URL", help="The bus."),
]
SeedFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="STRATVECTOR_NATS_SEED_FILE",
        help="Seed of the user apply; none for a server without accounts.",
    ),
]
ProvisionerSeedFile = Annotated[
    Path | None,
    typer.Option(
        "--seed-file",
        metavar="FILE",
        envvar="STRATVECTOR_NATS_SEED_FILE",
        help="Seed of the user provisioner; none for a server without accounts.",
    ),
]
Connect = Annotated[
    float,
    typer.Option(metavar="S", min=0, help="How long to wait for the bus, in seconds."),
]
TlsAuthorities = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        metavar="FILE",
        envvar="STRATVECTOR_TLS_CA_FILE",
        help="The authorities of a deployment with TLS.",
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option(
        "--tls-certificate",
        metavar="FILE",
        envvar="STRATVECTOR_TLS_CERTIFICATE_FILE",
        help="The certificate of the identity cli.",
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option("--tls-key", metavar="FILE", envvar="STRATVECTOR_TLS_KEY_FILE", help="Its key."),
]


_told: list[tuple[Path | None, Path | None, Path | None]] = []


def tell_tls(authorities: Path | None, certificate: Path | None, key: Path | None) -> None:
    """What was told before the command's name."""
    _told[:] = [(authorities, certificate, key)]


def told_certificates() -> "Certificates | None":
    """What this call of the command presents to the bus and to services, from now on; None where no
    files are named. Raises CommandFailed, BadCertificate.

    Commands on a session's folder never ask: what they start is on loopback, and plain.
    """
    from stratvector.runtime.certificates import COMMAND_LINE, Certificates, TlsFiles
    from stratvector.runtime.process.transport import Transport, use_transport

    authorities, certificate, key = _told[-1] if _told else (None, None, None)
    if authorities is None and certificate is None and key is None:
        use_transport(None)
        return None
    if authorities is None or certificate is None or key is None:
        raise CommandFailed("--tls-ca, --tls-certificate and --tls-key go together")
    certificates = Certificates(TlsFiles(authorities, certificate, key), COMMAND_LINE)
    use_transport(Transport(COMMAND_LINE, certificates))
    return certificates


def user_name() -> str:
    """Who wishes what is wished: the user's name, or the number of one that has none, as a
    container's often.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # which of them depends on Python's version
        return f"uid {os.getuid()}"


@dataclass(frozen=True)
class Reached:
    """The log, what is wanted, what is held, and what services say of themselves."""

    bus: "Bus"
    documents: "Documents"
    owners: "KeyValue"
    holds: "Holds"


@asynccontextmanager
async def reached(url: str, seed_file: Path | None, wait_seconds: float) -> AsyncIterator[Reached]:
    """A connection for the time of a block. Raises BusConnectionError, BadSeedFile."""
    from stratvector.cli.platform.bus import told_to
    from stratvector.runtime.documents import DOCUMENTS, Documents
    from stratvector.runtime.holds import HOLDS, Holds
    from stratvector.runtime.jetstream.bus import JetStreamBus
    from stratvector.runtime.jetstream.connection import connect
    from stratvector.runtime.jetstream.key_value import JetStreamKeyValue

    with told_to(sys.stderr, logging.ERROR):
        client = await connect(
            url, seed_file, "apply", wait_seconds, certificates=told_certificates()
        )
        try:
            documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
            holds = Holds(JetStreamKeyValue(client, HOLDS))
            yield Reached(JetStreamBus(client), documents, JetStreamKeyValue(client), holds)
        finally:
            await client.close()


@asynccontextmanager
async def provisioner(
    url: str, seed_file: Path | None, wait_seconds: float, name: str
) -> "AsyncIterator[BusClient]":
    """A connection of the one who may make, copy and purge streams. name : what the server calls
    it. Raises BusConnectionError, BadSeedFile.
    """
    from stratvector.cli.platform.bus import told_to
    from stratvector.runtime.jetstream.connection import connect

    with told_to(sys.stderr, logging.ERROR):
        client = await connect(url, seed_file, name, wait_seconds, certificates=told_certificates())
        try:
            yield client
        finally:
            await client.close()
