"""The store of a ledger that traces: a close that comes into the database is a span of its trace.

It begins when the ledger has taken the close's last message and ends when the close is durable.
"""

from collections.abc import Callable, Sequence

from stratvector.runtime.ports import LedgerStore, Spans
from stratvector.trading.ledger import LedgerEntry

SPAN = "record close"


class RecordSpans:
    """The spans of closes that are on their way into the database."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._open: dict[tuple[str, str, int], Callable[[], None]] = {}

    def begin(self, entry: LedgerEntry) -> None:
        """The calling coroutine has what it needs to record a close."""
        self._open[_key(entry)] = self._spans.open(SPAN, entry.close_time)

    def written(self, group: Sequence[LedgerEntry]) -> None:
        """These are in the database; told on any thread."""
        for entry in group:
            end = self._open.pop(_key(entry), None)
            if end is not None:
                end()


class TracedLedgerStore:
    """Speaks `ports.LedgerStore` before another one, which tells `spans` what it has written."""

    def __init__(self, store: LedgerStore, spans: RecordSpans) -> None:
        self._store, self._spans = store, spans
        self._last: dict[tuple[str, str], int | None] = {}

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The store's."""
        self._last[run, portfolio] = last = await self._store.last_close(run, portfolio)
        return last

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """The store's."""
        await self._store.verify(run, portfolio, after)

    async def commit(self, entry: LedgerEntry) -> None:
        """The store's; a close that was there before has had its span."""
        last = self._last.get((entry.run, entry.portfolio))
        if last is None or entry.close_time > last:
            self._spans.begin(entry)
        await self._store.commit(entry)

    async def written(self, run: str, portfolio: str) -> None:
        """The store's."""
        await self._store.written(run, portfolio)


def _key(entry: LedgerEntry) -> tuple[str, str, int]:
    return entry.run, entry.portfolio, entry.close_time
