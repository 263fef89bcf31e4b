"""What one host's loopback serves, on ports of another: python window.py SOCKET:PORT…

As `kubectl port-forward` does for a pod. Each SOCKET is the number of an inherited socket that
listens outside; what connects there is passed on to PORT of 127.0.0.1 in here. It ends when its
standard input ends.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CHUNK_BYTES = 1 << 16


async def main(pairs: list[str]) -> None:
    """Serve until the input ends."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    for pair in pairs:
        listening, port = map(int, pair.split(":"))
        await asyncio.start_server(_passing_to(port), sock=socket.socket(fileno=listening))
    await ended.wait()


def _passing_to(port: int) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    return serve


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
