"""`helm test`'s look at every service: by address, checked by identity."""

import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stratvector.cli.cluster_check import main
from tests.deploy.cluster_api_server import signed_for

READY = {"ready": True, "state": "standby", "idle": "waiting for documents", "reason": ""}
WAITS = {"ready": False, "state": "starting", "reason": "NATS does not answer"}


class Readiness(BaseHTTPRequestHandler):
    """A service's port: /readyz is ready, /waits is not."""

    def do_GET(self) -> None:
        document = READY if self.path == "/readyz" else WAITS
        self.send_response(200 if document["ready"] else 503)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    certificate, key = signed_for(tmp_path, "risk", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Readiness)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ready_service_is_told_by_its_identity_whatever_its_address(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--ca", str(tmp_path / "tls.crt"), f"risk={address}/readyz"]) == 0
    assert capsys.readouterr().out == "risk: ready waiting for documents\n"


@pytest.mark.parametrize(
    ("identity", "path", "said"),
    [
        ("risk", "/waits", "risk: not ready NATS does not answer"),
        ("ledger", "/readyz", "ledger: not ready "),
    ],
    ids=["not ready", "another's certificate"],
)
def test_a_service_that_is_not_ready_or_somebody_else_fails_the_check(
    identity: str,
    path: str,
    said: str,
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checked = [f"risk={address}/readyz", f"{identity}={address}{path}"]
    assert main(["--ca", str(tmp_path / "tls.crt"), *checked]) == 1
    assert said in capsys.readouterr().out


def test_a_service_that_does_not_answer_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["risk=http://127.0.0.1:9/readyz"]) == 1
    assert capsys.readouterr().out.startswith("risk: not ready ")
