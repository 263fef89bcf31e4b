"""What is wanted of a portfolio, looked at now and then while it runs: a changed document becomes
its next chapter.
"""

from dataclasses import replace

import structlog

from stratvector.runtime.chapter_changes import (
    OtherChapter,
    refuse_wish,
    says_the_same,
    toward,
)
from stratvector.runtime.chapters import Standing
from stratvector.runtime.documents import Documents, Wished
from stratvector.runtime.ports import Ports
from stratvector.runtime.session_document import BadSession
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import Chapter

LOOK_SECONDS = 0.5  # between two looks; a look holds up a decision by half a millisecond
# Who did not say whether it can load a document may be away for a rollout; each try ends a chapter.
RETRY_SECONDS = 600.0


class WishWatch:
    """Of one portfolio in one run. Used by the coroutine that decides.

    refused : why the newest document can't hold, empty when it can. stopped : it is to trade no
    more, which nobody takes back.
    """

    def __init__(self, ports: Ports, first: Chapter) -> None:
        self._documents = None if ports.documents is None else Documents(ports.documents)
        self._key = f"{first.run}.{first.portfolio}"
        self._clock = ports.clock
        self._looked_at = float("-inf")
        self._version = 0
        self._wanted: Chapter | None = None
        self._retry_at = float("inf")
        self.refused = ""
        self.stopped = False

    async def wanted(self, standing: Standing) -> Chapter | None:
        """What is wanted instead of the chapter that holds, None when that one is; as long as
        symbols are closing, it is wanted that they go.
        """
        now = self._clock.monotonic_seconds()
        if self._documents is not None and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            await self._look(self._documents, standing)
        is_other = self._wanted and not says_the_same(self._wanted, standing.chapter)
        return self._wanted if is_other else None

    def next(self, standing: Standing, wanted: Chapter, carried: Carried) -> Chapter | None:
        """What can hold next of what is wanted, None where nothing can before symbols are sold.
        carried : what it would begin with.
        """
        try:
            coming = toward(standing.chapter, wanted, carried.held)
        except BadSession as error:
            self.refuse(str(error))
            return None
        return None if says_the_same(coming, standing.chapter) else coming

    async def _look(self, documents: Documents, standing: Standing) -> None:
        try:
            wished = await documents.of(self._key)
            is_due = self._looked_at >= self._retry_at
            if wished is None or (wished.version == self._version and not is_due):
                return
            self._version, self._wanted, self._retry_at = wished.version, None, float("inf")
            self.stopped = self.stopped or wished.wish.stopped
            self._wanted = _checked(wished, standing)
            self.refused = ""
        except (BadSession, OtherChapter) as error:
            # The portfolio goes on as it was; who applies was told the same by the command.
            self.refuse(str(error))

    def refuse(self, why: str, retries: bool = False) -> None:
        """The newest document can't hold, and is not looked at again until there is another.

        retries : it is after a while.
        """
        self._wanted, self.refused = None, why
        if retries:
            self._retry_at = self._clock.monotonic_seconds() + RETRY_SECONDS
        log = structlog.get_logger("stratvector.risk")
        log.error("document refused", document=self._key, reason=why)


def _checked(wished: Wished, standing: Standing) -> Chapter:
    """Raises BadSession, OtherChapter."""
    chapter = wished.wish.chapter()
    chapter = replace(chapter, bars=tuple(replace(one, closing=()) for one in chapter.bars))
    _ = wished.wish.session().portfolio
    refuse_wish(standing.chapter, chapter)
    return chapter
