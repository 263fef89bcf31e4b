"""Hosts of a test: network namespaces around one hub, a cable from it to each of them, no more.

    host risk ── cable ── hub (nats-server) ── cable ── host execution

A host reaches the hub's address and nothing else: it has no other route, and there is no bridge.
The test's own namespace gets no interface; it looks in through windows (`window.py`).
"""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

HUB = "hub"
HUB_ADDRESS = "198.18.0.1"  # RFC 2544: for tests of networks
CABLE = "bus"
WINDOW = Path(__file__).with_name("window.py")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


class Network:
    """A context manager; at its end no namespace, interface or process of it is left."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(3)
        self._hosts: list[str] = []
        self._windows: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._add_namespace(HUB)
        return self

    def __exit__(self, *ended: object) -> None:
        for window in self._windows:
            assert window.stdin is not None
            window.stdin.close()
            window.wait()
        for host in self._hosts:
            _ip("netns", "delete", self._namespace(host))

    def add_host(self, host: str) -> None:
        """A namespace with a cable to the hub. host : at most 15 characters."""
        self._add_namespace(host)
        hub, own = self._namespace(HUB), self._namespace(host)
        _ip("link", "add", host, "netns", hub, "type", "veth", "peer", CABLE, "netns", own)
        address = self.address(host)
        for namespace, device, here, there in (
            (hub, host, HUB_ADDRESS, address),
            (own, CABLE, address, HUB_ADDRESS),
        ):
            _ip("-n", namespace, "address", "add", here, "peer", there, "dev", device)
            _ip("-n", namespace, "link", "set", device, "up")

    def address(self, host: str) -> str:
        """Where a host would be reached if there were a way."""
        return f"198.18.0.{self._hosts.index(host) + 1}"

    def cut(self, host: str) -> None:
        """Take its cable out."""
        _ip("-n", self._namespace(HUB), "link", "set", host, "down")

    def heal(self, host: str) -> None:
        """Put it in again."""
        _ip("-n", self._namespace(HUB), "link", "set", host, "up")

    def inside(self, host: str, *command: str) -> list[str]:
        """A command in a host's namespace; it has the process number of the whole."""
        return ["nsenter", f"--net=/run/netns/{self._namespace(host)}", *command]

    def open_window(self, host: str, ports: Sequence[int]) -> None:
        """Serve these ports of the host's loopback on the test's."""
        outside = [_listening(port) for port in ports]
        pairs = [f"{one.fileno()}:{port}" for one, port in zip(outside, ports, strict=True)]
        self._windows.append(
            subprocess.Popen(
                self.inside(host, sys.executable, "-I", "-S", str(WINDOW), *pairs),
                stdin=subprocess.PIPE,
                pass_fds=[one.fileno() for one in outside],
            )
        )
        for one in outside:
            one.close()

    def reaches(self, host: str, address: str, port: int) -> bool:
        """Whether somebody there takes a connection from the host."""
        ask = self.inside(host, sys.executable, "-I", "-S", "-c", CONNECT, address, str(port))
        return subprocess.run(ask, check=False, capture_output=True).returncode == 0

    def _namespace(self, host: str) -> str:
        return f"stratvector-{os.getpid()}-{self._token}-{host}"

    def _add_namespace(self, host: str) -> None:
        _ip("netns", "add", self._namespace(host))
        self._hosts.append(host)
        _ip("-n", self._namespace(host), "link", "set", "lo", "up")


def refusal() -> str:
    """Why this user can't have such hosts on this machine; empty if they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    try:
        with Network() as network:
            network.add_host("probe")
            seen = network.inside("probe", "unshare", "--mount", "--propagation", "private", "true")
            subprocess.run(seen, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        return f"{error.filename} is not installed"
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd)}: {error.stderr.strip()}"
    return ""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _listening(port: int) -> socket.socket:
    made = socket.create_server(("127.0.0.1", port))
    made.setblocking(False)
    return made
