"""bounded_http: one connection of the web server, which no client can hold or fill.

```
  head ──▶ body ──▶ answer ──▶ (idle) ──▶ head …
  5 s      10 s     60 s        5 s           32 KiB of head, 1 MiB of body
```

Whatever takes longer or is larger is refused with a problem document and the connection ends. More
connections than `OPEN_MAX` end the one that has kept the server waiting longest.
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stratvector.services.gateway.api.problems import problem

OPEN_MAX = 256
HEAD_BYTES_MAX, TARGET_BYTES_MAX = 32 << 10, 8 << 10
BODY_BYTES_MAX = 1 << 20
# Chunks of a byte each travel in six; what is more than this is framing, extensions or trailers.
BODY_WIRE_BYTES_MAX = 8 * BODY_BYTES_MAX
HEAD_SECONDS_MAX, BODY_SECONDS_MAX = 5.0, 10.0
ANSWER_SECONDS_MAX = 60.0  # also for the client to read it; Engine.IO holds a question for 16 s
# A refused client may still be sending: were the connection closed at once, its end of it would be
# reset, and the refusal lost.
LINGER_SECONDS = 2.0
PIPELINED_MAX = 16
PATH_SHOWN_MAX = 200
IDLE, HEAD, BODY, ANSWER, REFUSED = "idle", "head", "body", "answer", "refused"


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds on bytes, time, and connections."""

    _phase = HEAD
    _bytes = 0  # of the phase, as they came
    _body_bytes = 0
    _since = 0.0
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head; end another connection where there are too many."""
        super().connection_made(transport)
        self._wait(HEAD, HEAD_SECONDS_MAX)
        if len(self.connections) > OPEN_MAX:
            self._end_one()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the client keeps to the bounds."""
        if self._phase == REFUSED:
            return
        if self._phase == IDLE:
            self._wait(HEAD, HEAD_SECONDS_MAX)
        self._bytes += len(data)
        super().data_received(data)
        if self._phase == HEAD and self._bytes > HEAD_BYTES_MAX:
            self._refuse_head()
        elif self._phase == BODY and self._bytes > BODY_WIRE_BYTES_MAX:
            self._refuse_body()

    def on_headers_complete(self) -> None:
        """The head is there: hand it on, unless it is too large or says that the body is."""
        if self._phase == REFUSED:
            return
        if self._head_bytes() > HEAD_BYTES_MAX or len(self.url) > TARGET_BYTES_MAX:
            self._refuse_head()
            return
        if _declared_bytes(self.headers) > BODY_BYTES_MAX:
            self._refuse_body()
            return
        if len(self.pipeline) >= PIPELINED_MAX:
            self.transport.abort()
            return
        self._body_bytes = 0
        self._wait(BODY, BODY_SECONDS_MAX)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        if self._phase == REFUSED:
            return
        if self._body_bytes > BODY_BYTES_MAX:
            self._refuse_body()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The question is there, whole."""
        if self._phase == REFUSED:
            return
        super().on_message_complete()
        cycle: Any = self.cycle  # None before the first question, which uvicorn's type does not say
        if cycle is None or cycle.response_complete:
            self._rest()
        else:
            self._wait(ANSWER, ANSWER_SECONDS_MAX)

    def on_response_complete(self) -> None:
        """The answer is gone; the rest of a body may still come, in its time."""
        super().on_response_complete()
        if self._phase == ANSWER:
            self._rest()

    def handle_websocket_upgrade(self) -> None:
        """A WebSocket has bounds of its own."""
        self._stop_timer()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told in the form of every failure."""
        if self._phase != REFUSED:
            self._refuse(400, "this is no HTTP/1.1 request")

    def _wait(self, phase: str, seconds: float) -> None:
        self._stop_timer()
        self._phase, self._bytes, self._since = phase, 0, self.loop.time()
        self._timer = self.loop.call_later(seconds, self._overdue)

    def _rest(self) -> None:
        """Between two questions: uvicorn's own clock ends an idle connection."""
        self._stop_timer()
        self._phase, self._bytes, self._since = IDLE, 0, self.loop.time()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        if self._phase == HEAD and self._bytes:
            self._refuse(408, f"the headers did not come within {HEAD_SECONDS_MAX:g} s")
        elif self._phase == BODY:
            self._refuse(408, f"the body did not come within {BODY_SECONDS_MAX:g} s")
        else:
            self.transport.abort()

    def _end_one(self) -> None:
        """Of the connections that keep the server waiting, the one that does so longest."""
        known = [one for one in self.connections if isinstance(one, BoundedHttp)]
        waiting = [one for one in known if one._phase != ANSWER]
        min(waiting, key=lambda one: one._since, default=self).transport.abort()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_head(self) -> None:
        if len(self.url) > TARGET_BYTES_MAX or not self.headers:
            self._refuse(414, f"the path and its query are longer than {TARGET_BYTES_MAX} bytes")
        else:
            self._refuse(431, f"the headers are longer than {HEAD_BYTES_MAX >> 10} KiB")

    def _refuse_body(self) -> None:
        self._refuse(413, f"the body is larger than {BODY_BYTES_MAX >> 20} MiB")

    def _refuse(self, status: int, detail: str) -> None:
        """Say why, unless an answer is under way; then listen to nothing any more and end."""
        self._wait(REFUSED, LINGER_SECONDS)
        self._unset_keepalive_if_required()
        cycle: Any = self.cycle
        is_answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if cycle is not None:
            # What the application still says goes nowhere, and it waits for nothing more.
            cycle.disconnected, cycle.waiting_for_100_continue = True, False
            cycle.message_event.set()
        if is_answering or self.transport.is_closing():
            self.transport.abort()
            return
        self.flow.resume_reading()
        path = getattr(self, "url", b"").partition(b"?")[0].decode("latin-1")
        self.transport.write(_answer(path[:PATH_SHOWN_MAX], status, detail))
        self.transport.write_eof()


def _declared_bytes(headers: list[tuple[bytes, bytes]]) -> int:
    lengths = [value for name, value in headers if name == b"content-length"]
    return max((int(one) for one in lengths if one.isdigit()), default=0)


def _answer(path: str, status: int, detail: str) -> bytes:
    told = problem(path, status, detail)
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "connection: close"]
    head += [f"{name}: {value}" for name, value in told.headers.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + bytes(told.body)
