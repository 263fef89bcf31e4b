"""http: one question to a service's own port, asked of this machine."""

import asyncio
from contextlib import suppress

from stratvector.cli.platform.ports import HOST


async def get(port: int, path: str, timeout_seconds: float = 2.0) -> tuple[int, bytes] | None:
    """Status and body, or None where nobody answers in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    return (int(words[1]), body) if len(words) > 1 and words[1].isdigit() else None
