"""store: the ledger's entries in memory; they survive every crash of a process."""

from functools import partial

from stratvector.runtime.ports import LedgerConflict
from stratvector.runtime.simulation.effect import Call, Channel
from stratvector.trading.ledger import LedgerEntry, same_entry


class MemoryLedgerStore:
    """Speaks `ports.LedgerStore` for one portfolio in one run; another's entries are refused
    (ValueError).

    entries : by close time, in the order of commits.
    """

    def __init__(self) -> None:
        self.entries: dict[int, LedgerEntry] = {}

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The newest committed close of a portfolio in a run, or None."""
        perform = partial(self._last, run, portfolio)
        return await Call("store read", "last close", Channel.LOCAL, perform)

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Memory is as it was committed."""

    async def commit(self, entry: LedgerEntry) -> None:
        """Write one close; the same close again changes nothing. Raises LedgerConflict."""
        kept = next(iter(self.entries.values()), entry)
        if (kept.run, kept.portfolio) != (entry.run, entry.portfolio):
            raise ValueError(
                f"this store keeps {kept.portfolio} in {kept.run}, not {entry.portfolio} in "
                f"{entry.run}"
            )
        perform = partial(self._write, entry)
        await Call("store commit", str(entry.close_time), Channel.LOCAL, perform)

    async def written(self, run: str, portfolio: str) -> None:
        """Every commit is, when it returns."""

    def _last(self, run: str, portfolio: str) -> int | None:
        asked = (run, portfolio)
        own = (close for close, one in self.entries.items() if (one.run, one.portfolio) == asked)
        return max(own, default=None)

    def _write(self, entry: LedgerEntry) -> None:
        if not same_entry(self.entries.setdefault(entry.close_time, entry), entry):
            raise LedgerConflict(entry.portfolio, entry.close_time, entry.run)
