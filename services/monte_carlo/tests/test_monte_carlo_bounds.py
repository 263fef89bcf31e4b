"""Whatever its clients do, the HTTP port answers the next one and holds no socket for ever."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from stratvector.runtime.free_ports import free_port
from tests.processes.monte_carlo_process import MonteCarloProcess
from tests.processes.service_process import PATIENCE_SECONDS

OPEN_MAX = 64
ASKED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[MonteCarloProcess]:
    """A process that waits for NATS: its HTTP port is there from the beginning."""
    url = f"nats://127.0.0.1:{free_port()}"
    with MonteCarloProcess(tmp_path, "early", nats_url=url) as process:
        yield process


def client(service: MonteCarloProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port("http_port")), PATIENCE_SECONDS)


def is_cut(connection: socket.socket, words: bytes) -> bool:
    """Whether the other side ends a connection that gets the words again and again."""
    connection.settimeout(0.05)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            connection.sendall(words)
            time.sleep(0.02)
        except TimeoutError:
            continue  # nobody takes the words, and yet the connection is held
        except OSError:
            return True
    return False


def open_sockets(service: MonteCarloProcess) -> int:
    found = 0
    for file in Path(f"/proc/{service.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += file.readlink().name.startswith("socket:")
    return found


def test_a_client_that_sends_nothing_is_cut(service: MonteCarloProcess) -> None:
    with client(service) as silent:
        assert silent.recv(1) == b""


def test_a_client_that_sends_its_header_byte_by_byte_is_cut(service: MonteCarloProcess) -> None:
    with client(service) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nName: ")
        assert is_cut(slow, b"a")


def test_a_client_that_asks_for_ever_and_never_reads_is_cut(service: MonteCarloProcess) -> None:
    with client(service) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert is_cut(deaf, ASKED * 1000)


def test_a_header_that_is_too_long_is_refused(service: MonteCarloProcess) -> None:
    with client(service) as wordy:
        with suppress(OSError):  # refused before its last byte
            wordy.sendall(b"GET /healthz HTTP/1.1\r\nName: " + b"a" * 20_000)
        assert wordy.recv(12) == b"HTTP/1.1 431"


def test_an_answer_ends_its_connection(service: MonteCarloProcess) -> None:
    with client(service) as asking:
        asking.sendall(ASKED)
        answer = b"".join(iter(lambda: asking.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"stratvector_monte_carlo_paths_total 0" in answer


def test_many_clients_that_never_ask_end_the_oldest_and_keep_nobody_from_an_answer(
    service: MonteCarloProcess,
) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(client(service)) for _ in range(4 * OPEN_MAX)]
        assert service.get("/healthz")[0] == 200
        assert open_sockets(service) < 2 * OPEN_MAX
        assert idle[0].recv(1) == b""
        assert service.get("/readyz")[0] == 503


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ((b"localhost",), 200),
        ((b"[::1]:9103",), 200),
        ((b"monte-carlo:9103",), 200),  # allowed below, as a container is
        ((b"attacker.example",), 403),
        ((b"192.0.2.7",), 403),
        ((), 403),
        ((b"localhost", b"attacker.example"), 403),
    ],
)
def test_only_who_asks_this_machine_by_name_or_address_is_answered(
    hosts: tuple[bytes, ...], code: int, tmp_path: Path
) -> None:
    url = f"nats://127.0.0.1:{free_port()}"  # its HTTP port answers before the bus does
    allowed = ["monte-carlo"]
    with MonteCarloProcess(tmp_path, "a", nats_url=url, allowed_hosts=allowed) as service:
        lines = b"".join(b"Host: %s\r\n" % host for host in hosts)
        with socket.create_connection(("127.0.0.1", service.port("http_port"))) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n" + lines + b"\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % code)
    if code == 403:
        reason = json.loads(answer.partition(b"\r\n\r\n")[2])["reason"]
        assert "is not this machine" in reason or reason == "a request has one Host header"
