"""web_server: uvicorn as one coroutine of the process, which is asked to stop by cancelling it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from stratvector.runtime.process.http_port import PortTaken
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.transport import Transport, current_transport
from stratvector.services.gateway.bounded_http import BoundedHttp

BACKLOG = 1_024
FINISH_SECONDS_MAX = 1  # what an open answer or WebSocket gets at a drain
MESSAGE_BYTES_MAX = 1 << 16  # clients of /ws have nothing to say
TARDY_SECONDS_MAX = 1.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process handles its signals itself."""
        yield


class WebServer:
    """Listens from its construction on, answers while `run` runs. Raises PortTaken."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            why = error.strerror or str(error)
            raise PortTaken("console_port", host, port, why) from None
        self.port = int(self._socket.getsockname()[1])
        logger().info("listening", console_port=self.port)

    async def run(self, app: FastAPI) -> None:
        """Answer until cancelled; every connection is closed then."""
        server = _Server(_config(app, current_transport()))
        serving = asyncio.create_task(server.serve(sockets=[self._socket]), name="web server")
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving
            await _end(server.server_state.tasks)

    def close(self) -> None:
        """Stop listening, if `run` did not."""
        self._socket.close()


def _config(app: FastAPI, transport: Transport | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whoever asks stands on this machine
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,  # loopback has room, and packing would cost a core
        timeout_graceful_shutdown=FINISH_SECONDS_MAX,
        ssl_context_factory=None if transport is None else lambda *_: transport.https(),
    )


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Those that were cancelled and have not ended yet."""
    left = tuple(tasks)
    if left:
        await asyncio.wait(left, timeout=TARDY_SECONDS_MAX)
