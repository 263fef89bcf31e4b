"""Ports that are given to a process are given to no other."""

import socket
import subprocess
import sys

import pytest

from stratvector.runtime import free_ports as module
from stratvector.runtime.free_ports import BLOCK, PORTS, NoFreePort, free_port, free_ports, is_free

ASKED = "from stratvector.runtime.free_ports import *; print(*free_ports(50)); input()"


def test_processes_that_live_side_by_side_are_given_different_ports() -> None:
    def begin() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", ASKED], stdin=pipe, stdout=pipe, text=True)

    others = [begin() for _ in range(3)]
    given = [free_ports(50)]
    for other in others:
        assert other.stdout is not None
        given.append([int(port) for port in other.stdout.readline().split()])
    for other in others:
        other.communicate("\n")
    every = [port for ports in given for port in ports]
    assert len(set(every)) == len(every) == 200
    assert all(port in PORTS for port in every)


def test_a_port_is_not_given_again_before_all_others_were() -> None:
    given = [free_port() for _ in range(BLOCK // 2)]
    assert len(set(given)) == len(given)


def test_a_port_that_is_listened_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        assert not is_free(taken)
        monkeypatch.setattr(module, "_own_ports", lambda: iter([taken] * len(PORTS)))
        with pytest.raises(NoFreePort, match=r"127\.0\.0\.1 from 20000 to 31999"):
            free_port()
    monkeypatch.setattr(module, "_own_ports", lambda: iter([taken]))
    assert free_port() == taken


def test_ports_come_from_all_when_no_block_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_claim", lambda block: False)
    module._own_ports.cache_clear()
    try:
        given = free_ports(100)
    finally:
        module._own_ports.cache_clear()
    assert max(given) - min(given) > BLOCK
