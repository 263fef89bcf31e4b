"""What tests of transport security stand on: an authority, and a bus with its certificate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.security.authorities import Authorities, files_of


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    """The deployment's own; others are made when they are asked for."""
    return Authorities(tmp_path / "tls")


@pytest.fixture
def bus_server(tmp_path: Path, authorities: Authorities) -> Iterator[NatsServer]:
    """A server of the bus, without accounts."""
    tls = files_of(authorities.own, "nats")
    settings = ServerSettings(tmp_path / "store", free_port(), tls=tls)
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log")
    server.start()
    yield server
    server.kill()
