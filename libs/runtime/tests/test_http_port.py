"""The small HTTP port tells how the process is, also when its event loop is stuck."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client import CollectorRegistry, Counter

from stratvector.runtime.process import http_port
from stratvector.runtime.process.http_port import HttpPort, PortTaken
from stratvector.runtime.process.status import Heartbeat, Status

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0


@contextmanager
def listening(status: Status, heartbeat: Heartbeat) -> Iterator[HttpPort]:
    registry = CollectorRegistry()
    Counter("orders", "Orders.", registry=registry).inc(3)
    pages = {"/report": lambda: ("text/plain; charset=utf-8", b"all is well")}
    port = HttpPort(HOST, 0, registry, status, heartbeat, pages)
    try:
        yield port
    finally:
        port.close()


def get(port: HttpPort, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_the_registrys_own() -> None:
    with listening(Status(), Heartbeat(10.0)) as port:
        code, text = get(port, "/metrics")
    assert code == 200
    assert "orders_total 3.0" in text
    assert "python_info" not in text  # nothing of the library's global registry


def test_a_page_of_the_service_is_shown_beside_the_probes_and_an_unknown_one_names_all() -> None:
    with listening(Status(), Heartbeat(10.0)) as port:
        assert get(port, "/report") == (200, "all is well")
        code, text = get(port, "/reprot")
    assert (code, json.loads(text)) == (
        404,
        {"reason": "there is no /reprot; ask one of /metrics, /healthz, /readyz, /report"},
    )


def test_health_fails_when_the_loop_does_not_beat() -> None:
    heartbeat = Heartbeat(10.0)
    with listening(Status(), heartbeat) as port:
        assert get(port, "/healthz")[0] == 200
        heartbeat.beaten_at -= 11.0
        code, text = get(port, "/healthz")
        assert (code, json.loads(text)["stuck"]) == (503, True)
        heartbeat.beat()
        assert get(port, "/healthz")[0] == 200


def test_readiness_tells_state_and_reason() -> None:
    status = Status(waiting_for="waiting for NATS at nats://x")
    with listening(status, Heartbeat(10.0)) as port:
        code, text = get(port, "/readyz")
        assert code == 503
        assert json.loads(text) == {
            "state": "starting",
            "ready": False,
            "reason": "waiting for NATS at nats://x",
            "lanes": [],
        }
        status.started = True
        code, text = get(port, "/readyz")
        assert (code, json.loads(text)["state"]) == (200, "owner")
        assert get(port, "/other")[0] == 404


def test_a_taken_port_is_named_with_its_setting() -> None:
    with (
        listening(Status(), Heartbeat(10.0)) as port,
        pytest.raises(PortTaken, match=rf"^http_port: can't listen on {HOST}:{port.port}: "),
    ):
        HttpPort(HOST, port.port, CollectorRegistry(), Status(), Heartbeat(10.0), {})


def test_an_address_that_this_host_does_not_have_is_refused() -> None:
    with pytest.raises(PortTaken, match=r"can't listen on 203\.0\.113\.1:0: Cannot assign"):
        HttpPort("203.0.113.1", 0, CollectorRegistry(), Status(), Heartbeat(10.0), {})


def test_a_client_that_never_asks_does_not_hold_up_the_end() -> None:
    before = threading.active_count()
    with (
        listening(Status(), Heartbeat(10.0)) as port,
        socket.create_connection((HOST, port.port)) as idle,
    ):
        assert get(port, "/healthz")[0] == 200
        port.close()
        assert idle.recv(1) == b""
        assert threading.active_count() == before


def test_a_client_that_asks_for_ever_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_port, "OPEN_SECONDS_MAX", 0.5)
    with (
        listening(Status(), Heartbeat(10.0)) as port,
        socket.create_connection((HOST, port.port)) as slow,
    ):
        slow.settimeout(0.05)
        assert is_cut(slow, b"GET /healthz HTTP/1.1\r\nName: ")


def test_many_clients_that_never_ask_keep_nobody_from_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_port, "OPEN_SECONDS_MAX", PATIENCE_SECONDS)
    with listening(Status(), Heartbeat(10.0)) as port, ExitStack() as opened:
        for _ in range(3 * http_port.OPEN_MAX):
            opened.enter_context(socket.create_connection((HOST, port.port)))
        assert get(port, "/healthz")[0] == 200
        assert threading.active_count() < 2 * http_port.OPEN_MAX


def is_cut(client: socket.socket, first: bytes) -> bool:
    """Whether the other side ends a connection that gets a byte every now and then."""
    deadline, words = time.monotonic() + PATIENCE_SECONDS, first
    while time.monotonic() < deadline:
        try:
            client.sendall(words)
            return client.recv(1) == b""
        except TimeoutError:
            words = b"x"
        except OSError:
            return True
    return False
