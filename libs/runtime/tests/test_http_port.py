"""The small HTTP port tells how the process is, also when its event loop is stuck."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry, Counter

from stratvector.runtime.process import http_port
from stratvector.runtime.process.host_header import foreign_host
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
            "idle": "",
            "held": {},
            "portfolios": {},
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


def asked(port: HttpPort, request: bytes) -> tuple[int, bytes]:
    """Status and rest of the answer to raw bytes."""
    with socket.create_connection((HOST, port.port), timeout=PATIENCE_SECONDS) as client:
        with suppress(OSError):  # the answer may come, and the end, before all is sent
            client.sendall(request)
        answer = b""
        with suppress(OSError):
            while chunk := client.recv(1 << 16):
                answer += chunk
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:80", 200),
        ("127.0.0.1", 200),
        ("LOCALHOST:9103", 200),
        ("[::1]:9103", 200),
        ("risk:9103", 200),  # allowed below, as a container is
        ("attacker.example", 403),
        ("127.0.0.1.attacker.example", 403),
        ("localhost.attacker.example:80", 403),
        ("192.0.2.7:9103", 403),  # an address, but not this machine's end of the connection
        ("", 403),
        ("[::1", 403),
    ],
)
def test_only_who_asks_this_machine_by_name_or_address_is_answered(host: str, code: int) -> None:
    port = HttpPort(
        HOST, 0, CollectorRegistry(), Status(), Heartbeat(10.0), {}, allowed_hosts=("risk",)
    )
    try:
        found, text = asked(port, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert found == code
        if code == 403:
            assert "is not this machine" in json.loads(text)["reason"]
    finally:
        port.close()


def test_its_own_address_always_passes_and_another_literal_never() -> None:
    assert foreign_host("10.0.0.7:9103", "10.0.0.7") == ""
    assert foreign_host("10.0.0.7", "::ffff:10.0.0.7") == ""
    assert foreign_host("[fd00::7]:9103", "fd00::7") == ""
    assert foreign_host("10.0.0.8", "10.0.0.7")
    assert foreign_host("pod.example", "10.0.0.7", ("pod.example",)) == ""


OURS = b"Host: localhost\r\n"
TOO_MUCH = {
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\n\r\n", 403),
    "a change": (b"POST /healthz HTTP/1.1\r\n" + OURS + b"\r\n", 405),
    "chunks": (
        b"GET /healthz HTTP/1.1\r\n" + OURS + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        411,
    ),
    "300 MB": (
        b"GET /healthz HTTP/1.1\r\n" + OURS + b"Content-Length: 314572800\r\n\r\n" + b"x" * 100_000,
        413,
    ),
    "no length": (b"GET /healthz HTTP/1.1\r\n" + OURS + b"Content-Length: -1\r\n\r\n", 400),
    "one long header": (
        b"GET /healthz HTTP/1.1\r\n" + OURS + b"Name: " + b"x" * 40_000 + b"\r\n\r\n",
        431,
    ),
    "many headers": (
        b"GET /healthz HTTP/1.1\r\n" + OURS + b"Name: x\r\n" * 5_000 + b"\r\n",
        431,
    ),
    "a long path": (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n" + OURS + b"\r\n", 431),
    "no request": (b"\xff\xfe what\r\n\r\n", 400),
}


def test_what_asks_too_much_is_refused_in_one_sentence_and_the_next_is_answered() -> None:
    with listening(Status(), Heartbeat(10.0)) as port:
        for request, code in TOO_MUCH.values():
            found, text = asked(port, request)
            assert (found, list(json.loads(text))) == (code, ["reason"])
            assert b"Traceback" not in text
        assert get(port, "/healthz")[0] == 200
        assert asked(port, b"HEAD /healthz HTTP/1.1\r\n" + OURS + b"\r\n") == (200, b"")


def test_a_thousand_slow_requests_and_a_flood_in_chunks_keep_nobody_from_an_answer() -> None:
    begun = b"GET /healthz HTTP/1.1\r\n" + OURS + b"Transfer-Encoding: chunked\r\n"
    flooding = threading.Event()

    def flood(port: HttpPort) -> None:
        while not flooding.wait(0.002):
            with suppress(OSError), socket.create_connection((HOST, port.port), 5.0) as client:
                client.sendall(begun + b"\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with listening(Status(), Heartbeat(3_600.0)) as port, ExitStack() as opened:
        crowd = threading.Thread(target=flood, args=(port,))
        crowd.start()
        try:
            for number in range(1_000):
                slow = socket.create_connection((HOST, port.port), timeout=PATIENCE_SECONDS)
                opened.enter_context(slow)
                with suppress(OSError):  # the oldest were cut already
                    slow.sendall(begun[: 10 + number % 40])
                if number % 250 == 249:
                    assert get(port, "/healthz")[0] == 200
                    assert threading.active_count() < 2 * http_port.OPEN_MAX
        finally:
            flooding.set()
            crowd.join()
