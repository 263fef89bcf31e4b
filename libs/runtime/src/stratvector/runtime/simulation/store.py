"""store: the ledger's entries in memory; they survive every crash of a process."""

from functools import partial

from stratvector.runtime.ports import LedgerConflict
from stratvector.runtime.simulation.effect import Call, Channel
from stratvector.trading.ledger import LedgerEntry, same_entry


class MemoryLedgerStore:
    """Speaks `ports.LedgerStore` for one portfolio; another's entries are refused (ValueError).

    entries : by close time, in the order of commits.
    """

    def __init__(self) -> None:
        self.entries: dict[int, LedgerEntry] = {}

    async def last_close(self, portfolio: str) -> int | None:
        """The newest committed close of a portfolio, or None."""
        perform = partial(self._last, portfolio)
        return await Call("store read", "last close", Channel.LOCAL, perform)

    async def commit(self, entry: LedgerEntry) -> None:
        """Write one close; the same close again changes nothing. Raises LedgerConflict."""
        kept = next(iter(self.entries.values()), entry).portfolio
        if kept != entry.portfolio:
            raise ValueError(f"this store keeps {kept}, not {entry.portfolio}")
        perform = partial(self._write, entry)
        await Call("store commit", str(entry.close_time), Channel.LOCAL, perform)

    def _last(self, portfolio: str) -> int | None:
        own = (close for close, entry in self.entries.items() if entry.portfolio == portfolio)
        return max(own, default=None)

    def _write(self, entry: LedgerEntry) -> None:
        if not same_entry(self.entries.setdefault(entry.close_time, entry), entry):
            raise LedgerConflict(entry.portfolio, entry.close_time)
