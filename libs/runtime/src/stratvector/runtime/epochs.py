"""Which messages of a lane count: content in the name of the highest epoch so far."""

from stratvector.runtime.ports import Bus, Kind, Message, Stored

PAGE = 256


class EpochFilter:
    """Folds one subject in log order; every reader of the log drops the same messages.

    A message of a lower epoch than one before it is stale: its owner had been replaced when it was
    stored.
    """

    def __init__(self) -> None:
        self.highest = 0

    def admits(self, message: Message) -> bool:
        """True for what counts; owner marks only raise the epoch."""
        if message.epoch < self.highest:
            return False
        self.highest = message.epoch
        return message.kind is not Kind.OWNER


async def contents(
    bus: Bus, lane: str, marks: list[Stored] | None = None, after: int = 0
) -> list[Stored]:
    """The content of a lane that every reader takes: stale epochs dropped, each id once. marks :
    takes those of the owners. after : only messages above this sequence; those up to it tell
    epochs and owners alone.
    """
    epochs, seen, taken, position = EpochFilter(), set[str](), list[Stored](), 0
    while page := await bus.read(lane, position, PAGE):
        position = page[-1].sequence
        for stored in page:
            if marks is not None and stored.message.kind is Kind.OWNER:
                marks.append(stored)
            if epochs.admits(stored.message) and stored.message.id not in seen:
                seen.add(stored.message.id)
                if stored.sequence > after:
                    taken.append(stored)
    return taken


async def newest_content(bus: Bus, lane: str) -> Stored | None:
    """The newest message of a lane that is no owner's mark, None where there is none."""
    last = await bus.last(lane)
    while last is not None and last.message.kind is Kind.OWNER:
        before = await bus.read(lane, last.previous - 1, 1) if last.previous else ()
        last = before[0] if before else None
    return last
