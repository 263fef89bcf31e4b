"""store: the ledger's entries in memory; they survive every crash of a process."""

from functools import partial

from stratvector.runtime.simulation.effect import Call, Channel
from stratvector.trading.ledger import LedgerEntry


class MemoryLedgerStore:
    """Speaks `ports.LedgerStore` for one portfolio. entries : by close time, in the order of
    commits."""

    def __init__(self) -> None:
        self.entries: dict[int, LedgerEntry] = {}

    async def last_close(self) -> int | None:
        """The newest committed close, or None."""
        perform = partial(max, self.entries, default=None)
        return await Call("store read", "last close", Channel.LOCAL, perform)

    async def commit(self, entry: LedgerEntry) -> None:
        """Write one close; the same close again changes nothing."""
        perform = partial(self._write, entry)
        await Call("store commit", str(entry.close_time), Channel.LOCAL, perform)

    def _write(self, entry: LedgerEntry) -> None:
        self.entries.setdefault(entry.close_time, entry)
