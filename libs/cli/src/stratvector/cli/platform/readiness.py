"""readiness: what a service process of this machine says of itself on /readyz."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from stratvector.cli.platform.ports import HOST
from stratvector.runtime.http_pages import Page, pages

SILENT, STARTING, HALTED, FINISHED = "silent", "starting", "halted", "finished"
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


async def readiness(http_ports: Sequence[int]) -> list[Readiness]:
    """Ask each process once, all at the same time; one that does not answer is silent."""
    urls = [f"http://{HOST}:{port}/readyz" for port in http_ports]
    return [_said(page) for page in await pages(urls, ANSWER_SECONDS_MAX)]


def _said(page: Page | None) -> Readiness:
    if page is None:
        return Readiness(SILENT, "it does not answer")
    try:
        document = json.loads(page.body)
        return Readiness(str(document["state"]), str(document["reason"]))
    except (ValueError, KeyError, TypeError):
        return Readiness(SILENT, f"it answers with status {page.status} and no state")
