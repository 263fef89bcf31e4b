"""Which messages of a lane count: content in the name of the highest epoch so far."""

from stratvector.runtime.ports import Kind, Message


class EpochFilter:
    """Folds one subject in log order; every reader of the log drops the same messages.

    A message of a lower epoch than one before it is stale: its owner had been replaced when it was
    stored.
    """

    def __init__(self) -> None:
        self.highest = 0

    def admits(self, message: Message) -> bool:
        """True for content that counts; owner marks only raise the epoch."""
        if message.epoch < self.highest:
            return False
        self.highest = message.epoch
        return message.kind is Kind.CONTENT
