"""A service that finds no portfolio on its bus stands by, and works as soon as one begins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvector.runtime.jetstream.server import NatsServer, free_port
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import begin_at, provision_at
from tests.sessions.generated_sessions import Shape, generated_session

MODULE = "tests.processes.planted_service"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """Its streams are made, and nothing is in them."""
    made = NatsServer(ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "log")
    made.start()
    provision_at(made.url)
    yield made
    made.kill()


def planted(server: NatsServer, folder: Path) -> ServiceProcess:
    told = {"nats_url": server.url, "lease_seconds": 1.0, "drain_seconds": 3.0}
    return ServiceProcess(MODULE, folder, "planted", {"PLANTED_PLAN": "work"}, **told)


def test_a_service_without_a_portfolio_stands_by_ready_until_one_begins(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path) as service:
        told = service.until_state("standby")
        assert (told["ready"], told["idle"]) == (True, "no portfolio has begun yet")
        assert service.get("/readyz")[0] == 200
        begin_at(server.url, generated_session(3, Shape(closes=10)))
        assert service.until_state("owner")["idle"] == ""
        assert service.stop() == 0


def test_a_service_that_is_asked_to_end_while_it_has_no_portfolio_ends(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path) as service:
        service.until_state("standby")
        assert service.stop() == 0
        assert service.events("left_behind") == []
