"""The binary behaves as every service does: help, settings, ports, readiness, keys, log."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.accounts import MONTE_CARLO, USERS, accounts_config
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.processes.monte_carlo_process import (
    BINARY,
    MonteCarloProcess,
    figures,
    python_figures,
    request,
)

SERVICE = "stratvector.contracts.v1.MonteCarloService"


def ended_with(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and standard error of a process that ends by itself."""
    run = subprocess.run(
        [str(BINARY), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.returncode, run.stderr


def test_help_tells_settings_variables_and_exit_codes() -> None:
    run = subprocess.run([str(BINARY), "--help"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("usage: stratvector-monte-carlo [-h] [--settings FILE]")
    for told in ("STRATVECTOR_MONTE_CARLO_NATS_URL", "default 127.0.0.1", "exit codes: 0 stopped"):
        assert told in run.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("grpc_prt: 1\n", "there is no setting grpc_prt; the nearest is grpc_port"),
        ("session: here\n", "there is no setting session; the nearest is "),
        ("workers: 0\n", "workers can't be 0: input should be a whole number from 1 to 1024"),
        ("http_port: no\n", "http_port can't be 'no': input should be a whole number"),
        ("http_port: 1\nhttp_port: 2\n", "line 2: "),
        ("- a\n", "the file must hold keys and values, such as `http_port: 9100`"),
    ],
)
def test_wrong_settings_are_one_sentence_and_exit_code_2(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    code, told = ended_with("--settings", str(file))
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith("monte_carlo: ")
    assert sentence in told


def test_a_misspelt_variable_or_option_is_exit_code_2() -> None:
    code, told = ended_with(STRATVECTOR_MONTE_CARLO_WORKER="2")
    assert code == 2
    assert "there is no setting STRATVECTOR_MONTE_CARLO_WORKER; the nearest is" in told
    code, told = ended_with("--sittings")
    assert code == 2
    assert told.endswith("error: unrecognized arguments: --sittings\n")


def test_the_environment_wins_over_the_file(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "told", nats_url="nats://127.0.0.1:1")
    service.environment["STRATVECTOR_MONTE_CARLO_NATS_URL"] = nats.url
    with service:
        assert service.until_state("owner")["ready"]


@pytest.mark.parametrize("key", ["http_port", "grpc_port"])
def test_a_taken_port_is_one_sentence_and_exit_code_1(
    nats: NatsServer, tmp_path: Path, key: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        settings: dict[str, Any] = {"nats_url": nats.url, key: port}
        with MonteCarloProcess(tmp_path, "second", **settings) as service:
            assert service.ended() == 1
            told = service.err.read_text()
    assert told == (
        f"monte_carlo: {key}: can't listen on 127.0.0.1:{port}: Address already in use\n"
    )


def test_it_is_not_ready_without_nats_and_ready_when_nats_arrives(
    nats: NatsServer, tmp_path: Path
) -> None:
    nats.stop()
    with MonteCarloProcess(tmp_path, "early", nats_url=nats.url) as service:
        service.said("waiting for the bus")
        service._until(lambda: "refused" in service.readiness()["reason"], "no reason")
        waiting = service.readiness()
        assert (waiting["state"], waiting["ready"], waiting["lanes"]) == ("starting", False, [])
        assert waiting["reason"].startswith(f"waiting for NATS at {nats.url}: ")
        assert service.get("/readyz")[0] == 503
        assert service.get("/healthz")[0] == 200
        nats.start()
        assert service.until_state("owner") == {
            "state": "owner",
            "ready": True,
            "reason": "",
            "lanes": [],
        }
        assert service.get("/readyz")[0] == 200
        assert service.get("/elsewhere")[0] == 404


def test_a_process_that_waits_for_nats_stops_when_it_is_asked(tmp_path: Path) -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with MonteCarloProcess(tmp_path, "early", nats_url=url) as service:
        service.port("http_port")
        service.signal(signal.SIGINT)
        assert service.ended() == 0
        assert service.events("asked_to_stop")[0]["signal"] == "SIGINT"


def test_health_and_reflection_answer_over_grpc(nats: NatsServer, tmp_path: Path) -> None:
    service = MonteCarloProcess(tmp_path, "alone", nats_url=nats.url)
    with service, service.channel() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        asked = health_pb2.HealthCheckRequest(service=SERVICE)
        for state in stub.Watch(asked, wait_for_ready=True, timeout=60):
            if state.status == health_pb2.HealthCheckResponse.SERVING:
                break
        assert SERVICE in ProtoReflectionDescriptorDatabase(channel).get_services()
        # The watch is still open: nobody's curiosity delays a stop.
        assert service.stop() == 0


def test_every_log_line_names_event_service_and_instance(nats: NatsServer, tmp_path: Path) -> None:
    with MonteCarloProcess(tmp_path, "alone", nats_url=nats.url) as service:
        service.run(request(100, 2))
        assert service.stop() == 0
    lines = service.log()
    assert [list(line)[:5] for line in lines] == [
        ["time", "level", "event", "service", "instance"]
    ] * len(lines)
    assert {line["service"] for line in lines} == {"monte_carlo"}
    assert len({line["instance"] for line in lines}) == 1
    events = [line["event"] for line in lines]
    for event in ("started", "listening", "state", "run", "draining", "stopped"):
        assert event in events
    assert service.err.read_text() == ""


def test_its_account_on_a_guarded_server_is_all_that_it_needs(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    public = {user: keys.ensure(user) for user in USERS}
    settings = ServerSettings(tmp_path / "store", free_port())
    config = accounts_config(public)
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log", accounts=config)
    server.start()
    try:
        seed = keys.seed_file(MONTE_CARLO)
        with MonteCarloProcess(tmp_path, "a", nats_url=server.url, nats_seed_file=seed) as service:
            assert figures(service.run(request(9_000, 2))) == python_figures(9_000, 2)
            assert service.events("the bus reports an error") == []
        with MonteCarloProcess(tmp_path, "b", nats_url=server.url) as keyless:
            assert keyless.ended() == 78
            assert "it does not accept without a key" in keyless.err.read_text()
    finally:
        server.stop()
    broken = tmp_path / "broken.seed"
    broken.write_text("nothing\n")
    with MonteCarloProcess(tmp_path, "c", nats_url=server.url, nats_seed_file=broken) as service:
        assert service.ended() == 78
        assert service.err.read_text() == (
            f"monte_carlo: seed file {broken} holds no nkey seed of a user; "
            "such a seed begins with SU\n"
        )
