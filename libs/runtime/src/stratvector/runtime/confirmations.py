"""confirmations: a service that must load what a proposed chapter names says whether it can.

    content of k+1 (proposed) ─▶ strategy loads its new models  ─▶ confirmed ─▶ opened k+1
                              └▶ market_data loads its new bars ─▶ confirmed ─┘
                                       └─▶ refused: why ─▶ opened k+1 with the document of k

It is said in the key-value store and never in the log: it decides only whether a change is taken
up, and the log tells that by what opens.
"""

import json

from stratvector.runtime.ports import Clock, KeyValue, WrongRevision

REST_SECONDS = 0.05
# A new strategy is compiled in a few seconds; no decision waits longer than this for a change.
CONFIRMING = ("strategy", "market_data")
CONFIRM_SECONDS_MAX = 15.0


class Confirmations:
    """What one service says about one portfolio's proposals. service : who says it."""

    def __init__(self, key_value: KeyValue, service: str, run: str, portfolio: str) -> None:
        self._key_value = key_value
        self.key = f"confirmed.{service}.{run}.{portfolio}"

    async def say(self, chapter_id: str, refused: str = "") -> None:
        """Of the message with a chapter's content. refused : why it can't be, empty when it can."""
        value = json.dumps({"chapter": chapter_id, "refused": refused}).encode()
        while True:
            entry = await self._key_value.get(self.key)
            if entry is not None and entry.value == value:
                return
            try:
                await self._key_value.put(self.key, value, 0 if entry is None else entry.revision)
            except WrongRevision:
                continue  # another replica said it meanwhile
            return

    async def refusal(self, clock: Clock, chapter_id: str, deadline: float) -> str | None:
        """Why a chapter can't be, empty when it can; None when nobody says it by the deadline, in
        monotonic seconds.
        """
        while clock.monotonic_seconds() < deadline:
            about, refused = await self.said()
            if about == chapter_id:
                return refused
            await clock.sleep(REST_SECONDS)
        return None

    async def said(self) -> tuple[str, str]:
        """The newest word: the chapter's id, and why it can't be; both empty before the first."""
        entry = await self._key_value.get(self.key)
        if entry is None:
            return "", ""
        said = json.loads(entry.value)
        return str(said["chapter"]), str(said["refused"])
