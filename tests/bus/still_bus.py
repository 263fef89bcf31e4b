"""A bus that answers at once: whatever a call costs on top of it is the wrapper's."""

from collections.abc import Sequence

from stratvector.runtime.ports import Arrivals, Message, Published, Stored


class StillBus:
    """Speaks `ports.Bus` and keeps nothing; its arrivals are one message for ever.

    brings : that message, where it matters which.
    """

    def __init__(self, brings: Stored | None = None) -> None:
        self._brings = brings

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """As if it had been stored."""
        return Published(1, False)

    async def last(self, subject: str) -> Stored | None:
        """Nothing."""
        return None

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """Nothing."""
        return ()

    async def arrivals(self, subject: str) -> Arrivals:
        """The same message again and again."""
        return StillArrivals(self._brings or Stored(Message(subject, "id", b"", 1), 1, 0))


class StillArrivals:
    """Brings one message for ever."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    async def next(self, timeout_seconds: float) -> Stored | None:
        """That message."""
        return self._stored

    async def close(self) -> None:
        """Nothing to close."""
