"""unfit_messages: what is in a lane and can't be processed: its reader stops, and skips nothing.

UnfitMessage
├── OutOfStep            the lane's next message belongs to another close
├── MisplacedOpening     a chapter opens in another lane, or in the middle of one
├── ForeignDecision      a decision whose owner has another engine than its chapter
├── OtherChapterSignals  signals of a chapter that has not opened
└── OtherSymbols         bars whose symbols are not the universe's
"""


class UnfitMessage(RuntimeError):
    """A message that can't be processed: its reader stops, and skips nothing."""


class OutOfStep(UnfitMessage):
    """The lane's next message belongs to another close."""

    def __init__(self, lane: str, asked: int, found: int) -> None:
        super().__init__(
            f"{lane} was asked for close {asked}, but its next message is of close {found}"
        )
        self.lane, self.asked, self.found = lane, asked, found


class MisplacedOpening(UnfitMessage):
    """A chapter that opens where no reader of chapters looks, or where none may."""


class ForeignDecision(UnfitMessage):
    """A decision in a chapter of another engine; its owner must have opened the next one first."""

    def __init__(self, lane: str, chapter: int, wanted: str, found: str) -> None:
        super().__init__(
            f"{lane} holds a decision by engine {found} in chapter {chapter}, which is of engine "
            f"{wanted}"
        )
        self.lane, self.chapter, self.wanted, self.found = lane, chapter, wanted, found


class OtherChapterSignals(UnfitMessage):
    """Signals of a chapter that has not opened."""

    def __init__(self, lane: str, asked: int, found: int) -> None:
        super().__init__(f"{lane} holds signals of chapter {found}; chapter {asked} is open")
        self.lane, self.asked, self.found = lane, asked, found


class OtherSymbols(UnfitMessage):
    """Bars whose symbols are not the universe's, in its order."""

    def __init__(self, lane: str, expected: tuple[str, ...], found: tuple[str, ...]) -> None:
        super().__init__(
            f"{lane} must carry the symbols {', '.join(expected)}; they are {', '.join(found)}"
        )
        self.lane, self.expected, self.found = lane, expected, found


def refuse_other_close(lane: str, asked: int, found: int) -> None:
    """The lane's next message must be of the close that is asked for, both ns UTC. Raises
    OutOfStep.
    """
    if found != asked:
        raise OutOfStep(lane, asked, found)
