"""The Monte Carlo service with TLS settings: the same rules as the Python services."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from tests.processes.monte_carlo_process import MonteCarloProcess, request, steps
from tests.processes.service_process import PATIENCE_SECONDS
from tests.security.authorities import (
    Authorities,
    accounts_of,
    channel_credentials,
    files_of,
    health_of,
    is_presented,
    page_of,
    plain_answer,
    tls_settings,
)

IDENTITY = "monte-carlo"
EXPIRES = "stratvector_certificate_expires_seconds"


@pytest.fixture
def bus(bus_server: NatsServer) -> NatsServer:
    """Of the process that is tested."""
    return bus_server


def started(
    folder: Path, authorities: Authorities, bus: NatsServer, name: str = IDENTITY, **more: Any
) -> MonteCarloProcess:
    settings = {"nats_url": bus.url, **tls_settings(authorities.own, IDENTITY), **more}
    return MonteCarloProcess(folder, name, **settings)


def page(process: MonteCarloProcess, path: str, trusted: Path) -> str:
    return page_of(f"https://localhost:{process.port('http_port')}{path}", trusted)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_ready(process: MonteCarloProcess, trusted: Path) -> bool:
    return bool(json.loads(page(process, "/readyz", trusted))["ready"])


def expires(process: MonteCarloProcess, trusted: Path) -> float:
    lines = page(process, "/metrics", trusted).splitlines()
    return next(float(one.split(" ")[1]) for one in lines if one.startswith(f"{EXPIRES} "))


def ran(process: MonteCarloProcess, folder: Path) -> bool:
    """Whether a run of many shards, asked for by risk, gives its result."""
    credentials = channel_credentials(files_of(folder, "risk"))
    options = (("grpc.ssl_target_name_override", IDENTITY), ("grpc.enable_http_proxy", 0))
    address = f"127.0.0.1:{process.port('grpc_port')}"
    with grpc.secure_channel(address, credentials, options=options) as channel:
        *_, last = steps(channel, request(20_000, 5))
    return last.HasField("result")


def test_it_asks_itself_for_its_health_over_tls(
    tmp_path: Path, authorities: Authorities, bus: NatsServer
) -> None:
    """`--healthy`, by which an image without any other program is probed."""
    port = free_port()

    def told(process: MonteCarloProcess) -> tuple[int, str]:
        run = subprocess.run([*process.command, "--healthy"], capture_output=True, text=True)
        return run.returncode, run.stderr

    with started(tmp_path, authorities, bus, http_port=port) as process:
        assert process.port("http_port") == port
        assert told(process) == (0, "")
        stranger = tls_settings(authorities.stranger, IDENTITY)
        other = MonteCarloProcess(tmp_path, "other", nats_url=bus.url, http_port=port, **stranger)
        code, words = told(other)
        assert code == 1
        assert "invalid peer certificate" in words
        assert process.stop() == 0
        code, words = told(process)
        assert code == 1
        assert "refused" in words


def test_it_answers_to_its_callers_alone(
    tmp_path: Path,
    authorities: Authorities,
    bus: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, trusted = authorities.own, authorities.own / "ca.crt"
    with started(tmp_path, authorities, bus) as process:
        address = f"127.0.0.1:{process.port('grpc_port')}"

        def asked_by(folder: Path, identity: str) -> tuple[str, str]:
            return health_of(address, IDENTITY, trusted, files_of(folder, identity), 3.0)

        for identity in ("gateway", "risk", "cli", IDENTITY):
            assert asked_by(own, identity) == ("OK", "")
        code, words = asked_by(own, "drift")
        assert code == "PERMISSION_DENIED"
        assert words == "monte_carlo answers to cli, gateway, monte-carlo, risk, not to drift"
        assert health_of(address, IDENTITY, trusted, None, 3.0)[0] == "UNAVAILABLE"
        assert asked_by(authorities.stranger, "risk")[0] == "UNAVAILABLE"
        assert asked_by(authorities.expired(monkeypatch), "risk")[0] == "UNAVAILABLE"
        assert is_ready(process, trusted)
        assert b"HTTP/" not in plain_answer(process.port("http_port"))
        assert process.stop() == 0


def test_renewed_certificates_and_another_key_are_taken_up_without_a_new_process(
    tmp_path: Path, authorities: Authorities, bus: NatsServer
) -> None:
    own, trusted = authorities.own, authorities.own / "ca.crt"
    keys = KeyFolder(tmp_path / "keys")
    old, new = keys.ensure("monte_carlo"), keys.ensure("new")
    seed = keys.seed_file("monte_carlo")
    bus.reload(accounts_of(old))
    with (
        started(tmp_path, authorities, bus, "one", nats_seed_file=seed) as process,
        started(tmp_path, authorities, bus, "two", nats_seed_file=seed) as other,
    ):
        until(lambda: is_ready(process, trusted) and is_ready(other, trusted))
        before = expires(process, trusted)
        assert ran(process, own)
        authorities.renew()
        bus.reload(accounts_of(old, new))
        assert expires(process, trusted) < before
        assert is_presented(process.port("http_port"), own, IDENTITY)
        assert ran(process, own)
        keys.seed_file("new").replace(seed)
        bus.reload(accounts_of(new))
        assert ran(process, own)
        # Cuts every connection; the next one is made with the new certificate.
        bus.kill()
        bus.start()
        until(lambda: is_ready(process, trusted) and is_ready(other, trusted))
        assert ran(process, own)
        assert process.stop() == 0
        assert other.stop() == 0


def test_a_bus_of_another_name_or_authority_is_not_talked_to(
    tmp_path: Path, authorities: Authorities
) -> None:
    """A server with another service's certificate is waited for as if it were not there."""
    tls = files_of(authorities.own, "drift")
    settings = ServerSettings(tmp_path / "store", free_port(), tls=tls)
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log")
    config = tmp_path / "server.conf"
    with pytest.MonkeyPatch.context() as patched:
        # How the test itself knows that it is there; its own name is not the bus's.
        patched.setattr("stratvector.runtime.jetstream.server.BUS_IDENTITY", "drift")
        server.start()
    try:
        assert config.exists()
        with started(tmp_path, authorities, server) as process:
            trusted = authorities.own / "ca.crt"
            until(lambda: "certificate" in page(process, "/readyz", trusted))
            assert not is_ready(process, trusted)
            assert process.stop() == 0
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("absent", "can't be read: No such file or directory"),
        ("key", "is not of the certificate in"),
        ("nonsense", "hold no certificate with its key"),
        ("authority", "is not trusted by"),
        ("expired", "certificate has expired"),
        ("name", "must bear the name monte-carlo; it names drift, localhost"),
    ],
)
def test_a_certificate_that_fits_nothing_is_refused_at_the_start(
    tmp_path: Path,
    authorities: Authorities,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
    sentence: str,
) -> None:
    settings = tls_settings(authorities.own, IDENTITY)
    match wrong:
        case "absent":
            settings["tls_key_file"] = tmp_path / "absent.key"
        case "key":
            settings["tls_key_file"] = authorities.own / "drift" / "tls.key"
        case "nonsense":
            settings["tls_key_file"] = tmp_path / "refused.yaml"
        case "authority":
            settings["tls_ca_file"] = authorities.stranger / "ca.crt"
        case "expired":
            settings = tls_settings(authorities.expired(monkeypatch), IDENTITY)
        case _:
            settings = tls_settings(authorities.own, "drift")
    process = MonteCarloProcess(tmp_path, "refused", nats_url="tls://127.0.0.1:4222", **settings)
    process.start()
    assert process.ended() == 78
    told = process.err.read_text()
    assert told.count("\n") == 1
    assert sentence in told
