"""readiness: what a service process of this machine says of itself on /readyz."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass

from stratvector.cli.platform.ports import HOST

SILENT, STARTING, HALTED = "silent", "starting", "halted"
ANSWER_SECONDS_MAX = 2.0


@dataclass(frozen=True)
class Readiness:
    """state : silent, starting, standby, owner, finished, halted or draining. reason : why it is
    not ready, empty when it is.
    """

    state: str
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it does its work."""
        return self.is_up and not self.reason

    @property
    def is_up(self) -> bool:
        """Whether it has come past its start, to whatever state."""
        return self.state not in (SILENT, STARTING)


async def readiness(http_port: int) -> Readiness:
    """Ask once; a process that does not answer is silent."""
    answer = await _get(http_port, "/readyz")
    if answer is None:
        return Readiness(SILENT, "it does not answer")
    try:
        document = json.loads(answer[1])
        return Readiness(str(document["state"]), str(document["reason"]))
    except (ValueError, KeyError, TypeError):
        return Readiness(SILENT, f"it answers with status {answer[0]} and no state")


async def _get(port: int, path: str) -> tuple[int, bytes] | None:
    """Status and body, or None where nobody answers in time."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
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
