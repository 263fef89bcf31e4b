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
        self._open: dict[int, Callable[[], None]] = {}

    def begin(self, close_time: int) -> None:
        """The calling coroutine has what it needs to record a close (ns UTC)."""
        self._open[close_time] = self._spans.open(SPAN, close_time)

    def written(self, group: Sequence[LedgerEntry]) -> None:
        """These are in the database; told on any thread."""
        for entry in group:
            end = self._open.pop(entry.close_time, None)
            if end is not None:
                end()


class TracedLedgerStore:
    """Speaks `ports.LedgerStore` before another one, which tells `spans` what it has written."""

    def __init__(self, store: LedgerStore, spans: RecordSpans) -> None:
        self._store, self._spans = store, spans
        self._last: int | None = None

    async def last_close(self, portfolio: str) -> int | None:
        """The store's."""
        self._last = await self._store.last_close(portfolio)
        return self._last

    async def commit(self, entry: LedgerEntry) -> None:
        """The store's; a close that was there before has had its span."""
        if self._last is None or entry.close_time > self._last:
            self._spans.begin(entry.close_time)
        await self._store.commit(entry)
