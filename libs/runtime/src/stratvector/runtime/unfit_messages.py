"""unfit_messages: what is in a lane and can't be processed: its reader stops, and skips nothing.

UnfitMessage
├── OutOfStep            the lane's next message belongs to another close
├── OtherBars            the bars that somebody says he used are not the lane's next
├── UnnamedBars          whoever says which bars he used leaves some out, or calls others absent
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


class OtherBars(UnfitMessage):
    """The lane's next bars are not those that somebody says he used."""

    def __init__(self, lane: str, named: str, found: str) -> None:
        super().__init__(
            f"bars {named} are said to be used, but the next message of {lane} is {found}"
        )
        self.lane, self.named, self.found = lane, named, found


class UnnamedBars(UnfitMessage):
    """A universe closes and nothing is said of it, or it is called absent and does not close."""

    def __init__(self, lane: str, close_time: int, why: str) -> None:
        super().__init__(f"{lane} {why} at close {close_time}")
        self.lane, self.close_time = lane, close_time


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


def refuse_late_close(lane: str, close_time: int, found: int) -> None:
    """Bars that are taken up late must be older than the close that they join, both ns UTC. Raises
    OutOfStep.
    """
    if found >= close_time:
        raise OutOfStep(lane, close_time, found)


def refuse_unnamed(lane: str, close_time: int, is_overdue: bool, is_absent: bool) -> None:
    """A universe whose promised close has come must be called absent where no bars of it are named,
    and no other one. Raises UnnamedBars.
    """
    if is_overdue and not is_absent:
        raise UnnamedBars(lane, close_time, "is due, and neither its bars nor its absence is named")
    if is_absent and not is_overdue:
        raise UnnamedBars(lane, close_time, "is called absent, but it does not close")
