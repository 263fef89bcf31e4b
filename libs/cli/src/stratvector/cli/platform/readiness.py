"""readiness: what a service process says of itself on /readyz."""

import json
from dataclasses import dataclass

from stratvector.cli.platform.http import get

SILENT, STARTING, HALTED = "silent", "starting", "halted"


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
    answer = await get(http_port, "/readyz")
    if answer is None:
        return Readiness(SILENT, "it does not answer")
    try:
        document = json.loads(answer[1])
        return Readiness(str(document["state"]), str(document["reason"]))
    except (ValueError, KeyError, TypeError):
        return Readiness(SILENT, f"it answers with status {answer[0]} and no state")
