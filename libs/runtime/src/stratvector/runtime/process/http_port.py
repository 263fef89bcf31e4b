"""http_port: `/metrics`, `/healthz`, `/readyz` and a service's own pages, answered by threads.

Threads, because `/healthz` must tell when the event loop is stuck. What a client may cost is
bounded: its request's head and body, its time, and the number of connections.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import IO, Any, Protocol, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from stratvector.runtime.host import Page
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.host_header import foreign_host
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.status import Heartbeat, Status
from stratvector.runtime.process.transport import Transport

POLL_SECONDS = 0.25  # how soon a close is noticed; each poll takes the event loop's turn
OPEN_SECONDS_MAX = 5.0
OPEN_MAX = 64
HEAD_BYTES_MAX = 32 * 1024
BODY_BYTES_MAX = 1024 * 1024
LINGER_SECONDS = 0.2
METHODS = ("GET", "HEAD")
PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
}


class PortTaken(CannotStart):
    """A port of the service can't be listened on; whoever holds it may leave."""

    may_heal = True

    def __init__(self, setting: str, host: str, port: int, why: str) -> None:
        super().__init__(f"{setting}: can't listen on {host}:{port}: {why}")


class HttpPort:
    """The listening port and its threads, from construction to `close`.

    port : the one that is listened on, chosen freely when asked for 0. pages : asked at each
    request, so that they may come later. allowed_hosts : see `foreign_host`. transport : None
    leaves the port plain. Raises PortTaken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        status: Status,
        heartbeat: Heartbeat,
        pages: Mapping[str, Page],
        allowed_hosts: Collection[str] = (),
        transport: Transport | None = None,
    ) -> None:
        try:
            self._server = _Server((host, port), allowed_hosts, transport)
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
            start_response(
                "200 OK", [("Content-Type", kind), ("X-Content-Type-Options", "nosniff")]
            )
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
    than `OPEN_MAX` end the oldest, first of those that have not asked yet: nobody can take all
    threads, or keep a probe from its answer.
    """

    request_queue_size = OPEN_MAX

    def __init__(
        self,
        address: tuple[str, int],
        allowed_hosts: Collection[str],
        transport: Transport | None,
    ) -> None:
        self._transport = transport
        self.allowed_hosts = tuple(allowed_hosts)
        self.asked: set[socket.socket] = set()
        self._open: dict[socket.socket, float] = {}
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind; the base would also ask a name server who we are, and wait for it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """The next connection; a handshake waits for its own thread."""
        connection, address = super().get_request()
        if self._transport is None:
            return connection, address
        secured = self._transport.https().wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own."""
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close after the answer."""
        if isinstance(request, ssl.SSLSocket):
            # Say that this was all, without waiting for the client to say the same.
            with suppress(OSError, ValueError):
                request.settimeout(0)
                request.unwrap()
        super().shutdown_request(request)
        self._open.pop(request, None)
        self.asked.discard(request)

    def service_actions(self) -> None:
        """Between two connections: end those that are too old or too many, the oldest first."""
        # A sort keeps the order of arrival within each group.
        begun = sorted(self._open.items(), key=lambda one: one[0] in self.asked)
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


class _Head:
    """A request's first lines, as far as they are within the bound."""

    def __init__(self, lines: "_Lines", left: int = HEAD_BYTES_MAX) -> None:
        self._lines, self._left = lines, left

    def readline(self, limit: int = -1) -> bytes:
        """The next line. Raises _HeadTooLarge."""
        most = self._left + 1 if limit < 0 else min(limit, self._left + 1)
        line = self._lines.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise _HeadTooLarge
        return line


class _Lines(Protocol):
    def readline(self, limit: int, /) -> bytes: ...


class _HeadTooLarge(Exception):
    """A request whose first lines have no end."""


class _Handler(WSGIRequestHandler):
    """One request per connection; requests are no news."""

    server: _Server

    def handle(self) -> None:
        """Read a head, refuse or answer."""
        try:
            if not self._read_head():
                return
        except _HeadTooLarge:
            self._refuse(431, f"the request's head has more than {HEAD_BYTES_MAX} bytes")
            return
        self.server.asked.add(self.connection)
        if (refusal := self._refusal()) is not None:
            self._refuse(*refusal)
            return
        handler = ServerHandler(
            cast("IO[bytes]", self.rfile),
            cast("IO[bytes]", self.wfile),
            self.get_stderr(),
            self.get_environ(),
            multithread=True,
        )
        handler.request_handler = self  # type: ignore[attr-defined]  # the base's own way
        handler.run(self._head_only if self.command == "HEAD" else self._application)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base finds wrong with a head."""
        if code == 431:
            self._refuse(code, "the request's head has too many lines, or one without an end")
        else:
            self._refuse(400, "the request's head can't be read")

    def _read_head(self) -> bool:
        body, self.rfile = self.rfile, _Head(self.rfile)  # type: ignore[assignment]
        try:
            self.raw_requestline = self.rfile.readline()
            return bool(self.raw_requestline) and bool(self.parse_request())
        finally:
            self.rfile = body

    def _refusal(self) -> tuple[int, str] | None:
        """Status and sentence for a request that is not answered."""
        hosts = self.headers.get_all("Host") or [""]
        own = str(self.connection.getsockname()[0])
        if len(hosts) > 1 or (why := foreign_host(hosts[0], own, self.server.allowed_hosts)):
            return 403, "a request has one Host header" if len(hosts) > 1 else why
        if self.command not in METHODS:
            return 405, f"{self.command} is not answered here; GET and HEAD are"
        if "Transfer-Encoding" in self.headers:
            return 411, "a body in chunks is not taken here"
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, f"Content-Length is {length!r}; it must be a number"
        if int(length) > BODY_BYTES_MAX:
            return 413, f"the body has {length} bytes; at most {BODY_BYTES_MAX} are taken"
        return None

    def _refuse(self, code: int, why: str) -> None:
        """Answer, and read a little of what the client still sends: a connection that is closed on
        unread bytes would take the answer with it.
        """
        body = json.dumps({"reason": why}).encode() + b"\n"
        head = f"HTTP/1.0 {code} {PHRASES[code]}\r\nContent-Type: application/json\r\n"
        if code == 405:
            head += f"Allow: {', '.join(METHODS)}\r\n"
        with suppress(OSError):
            self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_SECONDS)
            left = BODY_BYTES_MAX
            while left > 0 and (taken := self.connection.recv(1 << 16)):
                left -= len(taken)

    def _head_only(
        self, environment: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """The application's answer without its body."""
        self._application(environment, start_response)
        return []

    @property
    def _application(self) -> Callable[..., Iterable[bytes]]:
        application: Any = self.server.get_app()
        return application  # type: ignore[no-any-return]

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes come every few seconds: not logged."""


def _cut(connection: socket.socket) -> None:
    """Wake the thread that reads or writes it; the thread then closes it."""
    with suppress(OSError):
        # Under TLS too: its own way would take the layer from under the thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
