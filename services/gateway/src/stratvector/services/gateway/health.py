"""health: what each process says of itself on /readyz, asked again and again.

ready ─ green;  up but not ready ─ amber;  silent or halted ─ red
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stratvector.runtime.certificates import identity_of
from stratvector.runtime.http_pages import Page, pages
from stratvector.runtime.process.transport import current_transport

ANSWER_SECONDS_MAX = 1.5
ASK_SECONDS = 0.5
REPLICA = re.compile(r"[-_]\d+$")
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
        urls = [f"{url.rstrip('/')}/readyz" for url in self.probes.values()]
        answers = await pages(
            urls, ANSWER_SECONDS_MAX, _trusted(), [*map(probed_identity, self.probes)]
        )
        found = [_health(name, page) for name, page in zip(self.probes, answers, strict=True)]
        changed = [health for health in found if health != self.now[health.name]]
        self.now.update({health.name: health for health in found})
        return changed


def _health(name: str, page: Page | None) -> Health:
    if page is None:
        return Health(name, SILENT, False, "it does not answer")
    try:
        document = json.loads(page.body)
        state, reason = str(document["state"]), str(document["reason"])
        return Health(name, state, document["ready"] is True, reason)
    except (ValueError, KeyError, TypeError):
        return Health(name, SILENT, False, "what answers does not say how it is")


def probed_identity(name: str) -> str:
    """By which name a probed process is known under TLS: `risk-2` is a replica of risk."""
    return identity_of(REPLICA.sub("", name))


def _trusted() -> ssl.SSLContext | None:
    transport = current_transport()
    return None if transport is None else transport.certificates.now().client


async def fetch(name: str, url: str, path: str) -> bytes | None:
    """The body of a page of a probed process's HTTP port; None when it does not come in time."""
    address = url.rstrip("/") + path
    (page,) = await pages([address], ANSWER_SECONDS_MAX, _trusted(), [probed_identity(name)])
    return None if page is None else page.body
