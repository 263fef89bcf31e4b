"""bus_access: the options with which a command reaches a platform's bus, and its connection."""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stratvector.runtime.documents import Documents
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


@dataclass(frozen=True)
class Reached:
    """The log, what is wanted, and what services say of themselves."""

    bus: "Bus"
    documents: "Documents"
    owners: "KeyValue"


@asynccontextmanager
async def reached(url: str, seed_file: Path | None, wait_seconds: float) -> AsyncIterator[Reached]:
    """A connection for the time of a block. Raises BusConnectionError, BadSeedFile."""
    from stratvector.cli.platform.bus import told_to
    from stratvector.runtime.documents import DOCUMENTS, Documents
    from stratvector.runtime.jetstream.bus import JetStreamBus
    from stratvector.runtime.jetstream.connection import connect
    from stratvector.runtime.jetstream.key_value import JetStreamKeyValue

    with told_to(sys.stderr, logging.ERROR):
        client = await connect(url, seed_file, "apply", wait_seconds)
        try:
            documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
            yield Reached(JetStreamBus(client), documents, JetStreamKeyValue(client))
        finally:
            await client.close()
