"""A nats-server of its own for each test, with the messages of NATS's default size."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    settings = ServerSettings(tmp_path / "store", free_port(), max_payload_bytes=1024 * 1024)
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log")
    server.start()
    yield server
    server.stop()
