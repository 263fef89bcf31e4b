"""free_ports: ports on 127.0.0.1 that nobody listens on, and that no other process is given.

A port is chosen some seconds before its service listens on it. So that two platforms which start
side by side don't choose the same, each process takes its ports from a block of its own. A name in
Linux's abstract namespace claims the block: it leaves no file, and goes with the process. Where
there is no such namespace, or no block is left, ports come from all of them.
"""

import atexit
import random
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

# Below the range that Linux takes for outgoing connections: a client that keeps trying a port of
# that range while its server is down may end up connected to itself.
PORTS = range(20_000, 32_000)
BLOCK = 200


class NoFreePort(RuntimeError):
    """Something listens on every port that could be given."""

    def __init__(self, host: str) -> None:
        super().__init__(f"no free port on {host} from {PORTS.start} to {PORTS.stop - 1}")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens on a port; one that was closed a moment ago is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(wanted: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that differ, and that this process was not given for as long as possible. Raises
    NoFreePort.
    """
    own, found = _own_ports(), list[int]()
    for _ in range(len(PORTS)):
        if len(found) == wanted:
            return found
        port = next(own)
        if port not in found and is_free(port, host):
            found.append(port)
    raise NoFreePort(host)


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nothing listens now. Raises NoFreePort."""
    return free_ports(1, host)[0]


@cache
def _own_ports() -> Iterator[int]:
    """The ports of this process, one after the other and then again."""
    blocks = [PORTS[begin : begin + BLOCK] for begin in range(0, len(PORTS), BLOCK)]
    for block in random.SystemRandom().sample(blocks, len(blocks)):
        if _claim(block.start):
            return cycle(block)
    return cycle(random.SystemRandom().sample(PORTS, len(PORTS)))


def _claim(block: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0stratvector-ports-{block}")
    except OSError:
        claim.close()
        return False
    atexit.register(claim.close)
    return True
