"""closes: the closes of an account in one chapter, one after the other, with their bars.

recorded : those that the account's lane holds already, the oldest first; an owner that takes over
meets them again, and takes each from there.
"""

from collections import deque
from typing import Protocol

from stratvector.runtime.bars_reader import BarsReader
from stratvector.services.execution.bars_gate import BarsGate
from stratvector.trading.ticks import Tick, TickBars


class Closes(Protocol):
    """Where the next close comes from."""

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next close is not recorded, and its bars are at hand or come in time."""

    async def next(self) -> TickBars | None:
        """The bars of the next close; None when there is none."""


class ReplayedCloses:
    """Of a replay: all bars come, and each tells when its universe closes next."""

    def __init__(self, bars: BarsReader, recorded: deque[Tick]) -> None:
        self._bars, self._recorded = bars, recorded

    async def look(self, patience_seconds: float) -> bool:
        """See `Closes.look`."""
        if self._recorded or (due := await self._bars.due()) is None:
            return False
        return await self._bars.look(due.universes, patience_seconds)

    async def next(self) -> TickBars | None:
        """See `Closes.next`."""
        if self._recorded:
            self._recorded.popleft()
        return await self._bars.next()


class JudgedCloses:
    """Of a run with deadlines: as this account's reports name them, and from there on as its owner
    judges.
    """

    def __init__(self, bars: BarsReader, gate: BarsGate, recorded: deque[Tick]) -> None:
        self._bars, self._gate, self._recorded = bars, gate, recorded

    async def look(self, patience_seconds: float) -> bool:
        """See `Closes.look`."""
        return not self._recorded and await self._gate.look(patience_seconds)

    async def next(self) -> TickBars | None:
        """See `Closes.next`."""
        if not self._recorded:
            return await self._gate.next()
        bars = await self._bars.named(self._recorded.popleft())
        self._gate.newest = bars.close_time
        return bars
