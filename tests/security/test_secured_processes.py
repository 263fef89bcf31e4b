"""Service processes with TLS settings: what they answer to whom, and what they refuse."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stratvector.cli.main import app
from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.service_process import PATIENCE_SECONDS, ServiceProcess
from tests.security.authorities import (
    Authorities,
    files_of,
    health_of,
    is_presented,
    page_of,
    plain_answer,
    tls_settings,
)

EXPIRES = "stratvector_certificate_expires_seconds "


@pytest.fixture
def bus(bus_server: NatsServer, authorities: Authorities) -> str:
    """The address of a bus on which everything is provisioned, by the command, over TLS."""
    code, said = command(authorities.own, "provision", "--nats-url", bus_server.url)
    assert code == 0, said
    return bus_server.url


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and words of a command that presents the certificate of `cli`."""
    own = files_of(folder, "cli")
    options = ("--tls-ca", own.authorities, "--tls-certificate", own.certificate)
    done = CliRunner().invoke(app, [*map(str, (*options, "--tls-key", own.key)), *arguments])
    return done.exit_code, done.output


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_service_serves_over_tls_alone_and_takes_up_renewed_certificates(
    tmp_path: Path, authorities: Authorities, bus: str
) -> None:
    own, trusted = authorities.own, authorities.own / "ca.crt"
    settings = tls_settings(own, "risk")
    with ServiceProcess(
        "stratvector.services.risk", tmp_path, "risk", nats_url=bus, **settings
    ) as risk:
        http = f"https://localhost:{risk.port('http_port')}"
        address = f"127.0.0.1:{risk.port('grpc_port')}"

        def expires() -> float:
            (line,) = (
                one
                for one in page_of(f"{http}/metrics", trusted).splitlines()
                if EXPIRES in f"{one} " and not one.startswith("#")
            )
            return float(line.split(" ")[1])

        assert json.loads(page_of(f"{http}/readyz", trusted))["ready"] is True
        assert health_of(address, "risk", trusted, files_of(own, "gateway")) == ("OK", "")
        assert health_of(address, "risk", trusted, files_of(own, "drift"))[0] == "PERMISSION_DENIED"
        assert b"HTTP/" not in plain_answer(risk.port("http_port"))
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            page_of(f"{http}/healthz", authorities.stranger / "ca.crt")
        before = expires()
        authorities.renew()
        assert expires() < before
        assert is_presented(risk.port("http_port"), own, "risk")
        assert health_of(address, "risk", trusted, files_of(own, "gateway")) == ("OK", "")
        assert risk.stop() == 0


def test_the_gateway_shows_its_console_by_https_and_asks_by_tls(
    tmp_path: Path, authorities: Authorities, bus: str
) -> None:
    own, trusted = authorities.own, authorities.own / "ca.crt"
    with ServiceProcess(
        "stratvector.services.ledger",
        tmp_path,
        "ledger",
        nats_url=bus,
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        **tls_settings(own, "ledger"),
    ) as ledger:
        probes = {"ledger-1": f"https://127.0.0.1:{ledger.port('http_port')}"}
        with ServiceProcess(
            "stratvector.services.gateway",
            tmp_path,
            "gateway",
            nats_url=bus,
            console_port=0,
            probes=probes,
            ledger_grpc=f"127.0.0.1:{ledger.port('grpc_port')}",
            **tls_settings(own, "gateway"),
        ) as gateway:
            console = f"https://localhost:{gateway.port('console_port')}"

            def health() -> dict[str, Any]:
                told: dict[str, Any] = json.loads(page_of(f"{console}/api/monitoring", trusted))
                return told

            until(lambda: health()["ready"])
            assert is_presented(gateway.port("console_port"), own, "gateway")
            authorities.renew()
            assert is_presented(gateway.port("console_port"), own, "gateway")
            until(lambda: health()["ready"])
            assert gateway.stop() == 0
        address = f"127.0.0.1:{ledger.port('grpc_port')}"
        asked = ("ledger", "status", "--address", address)
        assert "has no portfolio yet" in command(own, *asked)[1]
        assert "nothing answers at" in command(authorities.stranger, *asked)[1]
        assert "nothing answers at" in CliRunner().invoke(app, asked).output
        assert ledger.stop() == 0


def refusal(folder: Path, **settings: Any) -> tuple[int, str]:
    """Exit code and sentence of a risk that can't start."""
    process = ServiceProcess("stratvector.services.risk", folder, "refused", **settings)
    process.start()
    return process.ended(), process.err.read_text()


def test_settings_that_would_leave_something_plain_are_refused(
    tmp_path: Path, authorities: Authorities
) -> None:
    whole = tls_settings(authorities.own, "risk")
    part = {key: value for key, value in whole.items() if key != "tls_ca_file"}
    code, told = refusal(tmp_path, **part)
    assert code == 2
    assert "tls_ca_file, tls_certificate_file and tls_key_file go together" in told
    code, told = refusal(tmp_path, nats_url="nats://127.0.0.1:4222", **whole)
    assert code == 2
    assert "with TLS settings it must begin with tls://" in told
    code, told = refusal(tmp_path, nats_url="tls://127.0.0.1:4222")
    assert code == 2
    assert "tls:// needs tls_ca_file, tls_certificate_file and tls_key_file" in told


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("absent", "can't be read: No such file or directory"),
        ("key", "is not of the certificate in"),
        ("nonsense", "hold no certificate with its key"),
        ("authority", "is not trusted by"),
        ("expired", "certificate has expired"),
        ("name", "must bear the name risk; it names drift, localhost"),
    ],
)
def test_a_certificate_that_fits_nothing_is_refused_at_the_start(
    tmp_path: Path,
    authorities: Authorities,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
    sentence: str,
) -> None:
    settings = tls_settings(authorities.own, "risk")
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
            settings = tls_settings(authorities.expired(monkeypatch), "risk")
        case _:
            settings = tls_settings(authorities.own, "drift")
    code, told = refusal(tmp_path, nats_url="tls://127.0.0.1:4222", **settings)
    assert code == 78
    assert told.count("\n") == 1
    assert sentence in told
