"""A service process serves every portfolio on its bus, and those that begin later; while there is
none it stands by, and one that it can't serve is no other's trouble.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.trading.lanes import positions_lane
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import begin_at, provision_at
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named

MODULE = "tests.processes.planted_service"
MAIN = named(generated_session(3, Shape(closes=10)), "main", "replay.a")
OTHER = named(generated_session(3, Shape(closes=10)), "other", "replay.b")
AGAIN = replace(MAIN, portfolio=replace(MAIN.portfolio, run="replay.c"))
REFUSED = "the planted bars are not to be had"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """Its streams are made, and nothing is in them."""
    made = NatsServer(ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "log")
    made.start()
    provision_at(made.url)
    yield made
    made.kill()


def planted(server: NatsServer, folder: Path, **plans: str) -> ServiceProcess:
    told = {"nats_url": server.url, "lease_seconds": 1.0, "drain_seconds": 3.0}
    environment = {"PLANTED_PLAN": "work"}
    environment |= {f"PLANTED_PLAN_{name.upper()}": plan for name, plan in plans.items()}
    return ServiceProcess(MODULE, folder, "planted", environment, **told)


def owned(service: ServiceProcess, *sessions: Session) -> None:
    """Wait until the service owns these lanes and no others."""
    wanted = {positions_lane(session.portfolio) for session in sessions}
    service._until(
        lambda: (
            {lane["subject"] for lane in service.readiness()["lanes"] if lane["state"] == "owner"}
            == wanted
        ),
        f"it never owned {wanted}",
    )


def test_a_service_without_a_portfolio_stands_by_ready_until_one_begins(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path) as service:
        told = service.until_state("standby")
        assert (told["ready"], told["idle"]) == (True, "waiting for documents")
        assert service.get("/readyz")[0] == 200
        begin_at(server.url, MAIN)
        assert service.until_state("owner")["idle"] == ""
        assert service.stop() == 0


def test_portfolios_and_runs_that_begin_later_are_served_beside_the_first(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path) as service:
        for count, session in enumerate((MAIN, OTHER, AGAIN), 1):
            begin_at(server.url, session)
            owned(service, *(MAIN, OTHER, AGAIN)[:count])
        portfolios = service.readiness()["portfolios"]
        assert portfolios == dict.fromkeys(
            ("replay.a.main", "replay.b.other", "replay.c.main"), "owner"
        )
        assert service.stop() == 0
        assert service.events("left_behind") == []


def test_a_portfolio_that_can_not_begin_here_halts_alone(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path, other="refuse_to_begin") as service:
        begin_at(server.url, MAIN)
        owned(service, MAIN)
        begin_at(server.url, OTHER)
        told = service.until_state("halted")
        assert (told["ready"], told["reason"]) == (False, f"replay.b.other: {REFUSED}")
        assert told["portfolios"] == {"replay.a.main": "owner", "replay.b.other": "halted"}
        begin_at(server.url, AGAIN)
        owned(service, MAIN, AGAIN)
        assert service.stop() == 0


def test_a_portfolio_that_can_not_go_on_here_halts_alone(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path, other="refuse") as service:
        begin_at(server.url, MAIN)
        begin_at(server.url, OTHER)
        told = service.until_state("halted")
        assert told["reason"] == "replay.b.other: the planted store is not to be had"
        owned(service, MAIN)
        assert service.stop() == 0


def test_a_process_ends_with_the_sentence_when_it_can_serve_none_that_there_is(
    server: NatsServer, tmp_path: Path
) -> None:
    begin_at(server.url, OTHER)
    with planted(server, tmp_path, other="refuse_to_begin") as service:
        assert service.ended() == 78
        assert service.err.read_text() == f"planted: {REFUSED}\n"


def test_a_service_that_is_asked_to_end_while_it_has_no_portfolio_ends(
    server: NatsServer, tmp_path: Path
) -> None:
    with planted(server, tmp_path) as service:
        service.until_state("standby")
        assert service.stop() == 0
        assert service.events("left_behind") == []
