"""A server that can't write any more goes on answering reads; whoever waits for it must say so."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import begin_at
from tests.sessions.generated_sessions import Shape, generated_session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files")
SESSION = generated_session(3, Shape(closes=10))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "log")
    made.start()
    begin_at(made.url, SESSION)
    yield made
    made.kill()


def test_an_owner_whose_bus_stores_nothing_is_not_ready_and_says_why(
    server: NatsServer, tmp_path: Path
) -> None:
    planted = ServiceProcess(
        "tests.processes.planted_service",
        tmp_path,
        "planted",
        {"PLANTED_PLAN": "work"},
        nats_url=server.url,
        lease_seconds=60.0,
        drain_seconds=3.0,
    )
    with planted:
        assert planted.until_state("owner")["ready"]
        assert server.pid is not None
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        planted.said("not stored yet")
        while (told := planted.readiness())["ready"]:
            pass
        assert told["reason"].startswith("NATS does not store: positions.")
        assert planted.stop() == 0
