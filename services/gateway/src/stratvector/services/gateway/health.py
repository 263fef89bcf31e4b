"""health: what each process says of itself on /readyz, asked again and again.

ready ─ green;  up but not ready ─ amber;  silent or halted ─ red
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stratvector.runtime.http_pages import Page, pages

ANSWER_SECONDS_MAX = 1.5
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
        urls = [f"{url.rstrip('/')}/readyz" for url in self.probes.values()]
        answers = await pages(urls, ANSWER_SECONDS_MAX)
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


async def fetch(url: str, path: str) -> bytes | None:
    """The body of a page of a process's HTTP port; None when it does not come in time."""
    (page,) = await pages([url.rstrip("/") + path], ANSWER_SECONDS_MAX)
    return None if page is None else page.body
