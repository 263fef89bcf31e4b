"""The nats-server process: real ones, on free ports."""

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.server import (
    NatsServer,
    PortTaken,
    ServerBinaryMissing,
    ServerFailed,
    find_binary,
)
from stratvector.runtime.jetstream.server_config import ServerSettings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(
        ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "logs" / "nats.log"
    )
    yield made
    made.kill()


def greeting(server: NatsServer) -> bytes:
    address = (server.settings.host, server.settings.port)
    with socket.create_connection(address, timeout=5.0) as client:
        return client.makefile("rb").readline()


def test_a_started_server_serves_clients_with_jetstream(server: NatsServer) -> None:
    server.start()
    assert b'"jetstream":true' in greeting(server)
    assert server.pid is not None
    assert "Server is ready" in server.log.read_text()


def test_a_stopped_server_is_gone_and_starts_again_on_its_port(server: NatsServer) -> None:
    server.start()
    server.stop()
    assert server.pid is None
    with pytest.raises(ConnectionRefusedError):
        greeting(server)
    server.start()
    assert greeting(server)


def test_a_killed_server_says_so_and_starts_again(server: NatsServer) -> None:
    server.start()
    server.kill()
    assert server.exit_code == -signal.SIGKILL
    server.start()
    assert server.exit_code is None


def test_a_server_that_somebody_ends_is_seen(server: NatsServer) -> None:
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.is_running


def test_a_server_that_does_not_end_in_time_is_killed(server: NatsServer) -> None:
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(timeout_seconds=0.2)
    assert server.exit_code == -signal.SIGKILL


def test_stopping_what_never_started_does_nothing(server: NatsServer) -> None:
    server.stop()
    server.kill()
    assert server.exit_code is None


def test_the_monitor_port_answers_for_health(tmp_path: Path) -> None:
    port = free_port()
    settings = ServerSettings(tmp_path / "store", free_port(), monitor_port=port)
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log")
    server.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert b"ok" in answer.read()
    finally:
        server.stop()


def test_a_taken_port_is_named_with_the_setting_that_changes_it(server: NatsServer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.settings.port))
        other.listen()
        with pytest.raises(PortTaken) as raised:
            server.start()
    assert str(raised.value) == (
        f"port {server.settings.port} on 127.0.0.1 is taken; "
        "stop what listens there or set nats_port to another"
    )
    assert not server.is_running


def test_a_taken_monitor_port_is_named_by_its_own_setting(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = ServerSettings(
            tmp_path / "store", free_port(), monitor_port=other.getsockname()[1]
        )
        with pytest.raises(PortTaken, match="set nats_monitor_port to another"):
            NatsServer(settings, tmp_path, tmp_path / "nats.log").start()


def test_a_running_server_is_not_started_twice(server: NatsServer) -> None:
    server.start()
    with pytest.raises(ServerFailed, match=f"runs already as process {server.pid}"):
        server.start()


def test_a_configuration_that_the_server_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    settings = ServerSettings(tmp_path / "store", free_port())
    server = NatsServer(settings, tmp_path, tmp_path / "nats.log", accounts="accounts { A: 1 }")
    with pytest.raises(ServerFailed, match=r"ended with exit code 1: .*[Aa]ccount"):
        server.start()
    assert not server.is_running


def test_without_the_binary_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerBinaryMissing, match="nats-server is not installed: `make setup`"):
        find_binary()
    (tmp_path / "nats-server").touch(mode=0o755)
    assert find_binary() == str(tmp_path / "nats-server")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"port": 0}, "nats port is 0; 1 <= port <= 65535 must hold"),
        ({"port": 70_000}, "nats port is 70000"),
        ({"monitor_port": -1}, "nats monitor_port is -1"),
        ({"max_payload_bytes": 0}, "nats max_payload_bytes is 0"),
    ],
)
def test_settings_that_no_server_can_have_are_refused(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    settings = ServerSettings(tmp_path, 4222)
    with pytest.raises(ValueError, match=said):
        replace(settings, **changed)
