"""cluster_check: whether every service of a release is ready; `helm test` runs it in a pod.

    python -m stratvector.cli.cluster_check --ca ca.crt risk=https://stratvector-risk:9100/readyz …

Each is asked by its address and checked by its identity, which its certificate must say. Prints a
line for each, and ends with 0 when all are ready, 1 otherwise.
"""

import argparse
import http.client
import json
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_SECONDS_MAX = 5.0
PLAIN_PORT, TLS_PORT = 80, 443


class _ByIdentity(http.client.HTTPSConnection):
    """A connection to an address whose server shows the certificate of `identity`."""

    def __init__(self, host: str, port: int, identity: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=ANSWER_SECONDS_MAX, context=context)
        self._identity, self._checks = identity, context

    def connect(self) -> None:
        """Connect; the server's name is not the address's."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._checks.wrap_socket(plain, server_hostname=self._identity)


def ready(identity: str, url: str, authority: Path | None) -> tuple[bool, str]:
    """Whether a service is, and what it says of itself."""
    try:
        connection = _connection(identity, url, authority)
        connection.request("GET", urlsplit(url).path or "/readyz")
        answer = connection.getresponse()
        document = json.loads(answer.read())
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, str(error) or type(error).__name__
    told = document.get("reason") or document.get("idle") or document.get("state", "")
    return answer.status == http.client.OK, str(told)


def _connection(identity: str, url: str, authority: Path | None) -> http.client.HTTPConnection:
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme == "http":
        return http.client.HTTPConnection(
            host, address.port or PLAIN_PORT, timeout=ANSWER_SECONDS_MAX
        )
    context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    return _ByIdentity(host, address.port or TLS_PORT, identity, context)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m stratvector.cli.cluster_check")
    parser.add_argument("--ca", type=Path, default=None, help="who signed the certificates")
    parser.add_argument("services", nargs="+", metavar="IDENTITY=URL")
    asked = parser.parse_args(arguments)
    all_ready = True
    for one in asked.services:
        identity, _, url = one.partition("=")
        is_ready, told = ready(identity, url, asked.ca)
        all_ready &= is_ready
        sys.stdout.write(f"{identity}: {'ready' if is_ready else 'not ready'} {told}\n")
    return 0 if all_ready else 1


if __name__ == "__main__":
    raise SystemExit(main())
