"""http_port: `/metrics`, `/healthz`, `/readyz` and a service's own pages, answered by threads.

Threads, because `/healthz` must tell when the event loop is stuck.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from stratvector.runtime.host import Page
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.status import Heartbeat, Status

POLL_SECONDS = 0.25  # how soon a close is noticed; each poll takes the event loop's turn
OPEN_SECONDS_MAX = 5.0
OPEN_MAX = 64


class PortTaken(CannotStart):
    """A port of the service can't be listened on; whoever holds it may leave."""

    may_heal = True

    def __init__(self, setting: str, host: str, port: int, why: str) -> None:
        super().__init__(f"{setting}: can't listen on {host}:{port}: {why}")


class HttpPort:
    """The listening port and its threads, from construction to `close`.

    port : the one that is listened on, chosen freely when asked for 0. pages : asked at each
    request, so that they may come later. Raises PortTaken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        status: Status,
        heartbeat: Heartbeat,
        pages: Mapping[str, Page],
    ) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise PortTaken("http_port", host, port, error.strerror or str(error)) from None
        self.port = int(self._server.server_address[1])
        self._server.set_app(_application(registry, status, heartbeat, pages))
        self._thread = Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="http")
        self._thread.start()

    def close(self) -> None:
        """Stop listening, cut what is open, and wait until the threads have ended."""
        self._server.shutdown()
        self._thread.join()
        self._server.cut()
        self._server.server_close()


def _application(
    registry: CollectorRegistry, status: Status, heartbeat: Heartbeat, pages: Mapping[str, Page]
) -> Callable[..., Iterable[bytes]]:
    metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def health() -> tuple[bool, dict[str, Any]]:
        stuck = heartbeat.is_stuck()
        return not stuck, {"stuck": stuck, "silence_seconds": heartbeat.silence_seconds()}

    def readiness() -> tuple[bool, dict[str, Any]]:
        document = status.document()
        return bool(document["ready"]), document

    probes = {"/healthz": health, "/readyz": readiness}

    def answer(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environment["PATH_INFO"]
        if path == "/metrics":
            return metrics(environment, start_response)
        if path in pages:
            kind, content = pages[path]()
            start_response("200 OK", [("Content-Type", kind)])
            return [content]
        paths = ", ".join(("/metrics", *probes, *pages))
        well, document = False, {"reason": f"there is no {path}; ask one of {paths}"}
        code = "404 Not Found"
        if path in probes:
            well, document = probes[path]()
            code = "200 OK" if well else "503 Service Unavailable"
        start_response(code, [("Content-Type", "application/json")])
        return [json.dumps(document).encode() + b"\n"]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per connection; knows the open ones, so that none delays a drain.

    However slowly a client asks or listens, its connection ends after `OPEN_SECONDS_MAX`, and more
    than `OPEN_MAX` end the oldest: nobody can take all threads, or keep a probe from its answer.
    """

    request_queue_size = OPEN_MAX

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self._open: dict[socket.socket, float] = {}
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind; the base would also ask a name server who we are, and wait for it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own."""
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close after the answer."""
        super().shutdown_request(request)
        self._open.pop(request, None)

    def service_actions(self) -> None:
        """Between two connections: end those that are too old or too many, the oldest first."""
        begun = list(self._open.items())
        oldest_allowed = time.monotonic() - OPEN_SECONDS_MAX
        surplus = len(begun) - OPEN_MAX
        for place, (connection, begun_at) in enumerate(begun):
            if place < surplus or begun_at < oldest_allowed:
                _cut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or never asked is no defect."""
        logger().debug("http_connection_failed", exc_info=True)

    def cut(self) -> None:
        """End every open connection, so that its thread ends too."""
        for connection in tuple(self._open):
            _cut(connection)


class _Handler(WSGIRequestHandler):
    """One request per connection; requests are no news."""

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes come every few seconds: not logged."""


def _cut(connection: socket.socket) -> None:
    """Wake the thread that reads or writes it; the thread then closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
