"""health: what each process says of itself on /readyz, asked again and again.

ready ─ green;  up but not ready ─ amber;  silent or halted ─ red
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

ANSWER_SECONDS_MAX = 1.5
ANSWER_BYTES_MAX = 1 << 20
ASK_SECONDS = 0.5
SILENT, HALTED, UNKNOWN = "silent", "halted", "unknown"


class Level(StrEnum):
    """How bad it is."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Health:
    """One process. state : as it says, silent when it does not answer, unknown before it was asked.

    reason : why it is not ready, empty when it is.
    """

    name: str
    state: str
    ready: bool
    reason: str

    @property
    def level(self) -> Level:
        """Green, amber or red."""
        if self.ready:
            return Level.GREEN
        return Level.RED if self.state in (SILENT, HALTED) else Level.AMBER


class HealthWatch:
    """Asks every process twice a second.

    probes : name -> http://host:port. now : the newest answer of each, in the probes' order.
    """

    def __init__(self, probes: Mapping[str, str]) -> None:
        self.probes = dict(probes)
        self.now = {name: Health(name, UNKNOWN, False, "not asked yet") for name in probes}

    async def ask(self) -> list[Health]:
        """Ask all once; those whose answer changed."""
        found = await asyncio.gather(*(_health(n, url) for n, url in self.probes.items()))
        changed = [health for health in found if health != self.now[health.name]]
        self.now.update({health.name: health for health in found})
        return changed


async def _health(name: str, url: str) -> Health:
    answer = await fetch(url, "/readyz")
    if answer is None:
        return Health(name, SILENT, False, "it does not answer")
    try:
        document = json.loads(answer)
        state, reason = str(document["state"]), str(document["reason"])
        return Health(name, state, document["ready"] is True, reason)
    except (ValueError, KeyError, TypeError):
        return Health(name, SILENT, False, "what answers does not say how it is")


async def fetch(url: str, path: str) -> bytes | None:
    """The body of a page of a process's HTTP port; None when it does not come in time.

    Asked with HTTP/1.0 on a connection of its own, as these ports close after each answer: a
    client library's session would cost more than the question.
    """
    place = urlsplit(url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(place.hostname, place.port or 80)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {place.netloc}\r\n\r\n".encode())
                answer = await reader.read(ANSWER_BYTES_MAX)
                while chunk := await reader.read(ANSWER_BYTES_MAX):
                    answer += chunk
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return None
    _, _, body = answer.partition(b"\r\n\r\n")
    return body
