"""closes: the closes of an account in one chapter, one after the other, with their bars.

    replay               ReplayedCloses    as the bars tell them
    leading account      JudgedCloses      as its owner judges them, once
    any other account    FollowedCloses    as the leading account's reports name them

recorded : those that the account's lane holds already, the oldest first; an owner that takes over
meets them again, and takes each from there.
"""

from collections import deque
from functools import partial
from typing import Protocol

from stratvector.runtime.bars_reader import BarsReader
from stratvector.runtime.fills_reader import AccountFillsReader, named_tick
from stratvector.services.execution.bars_gate import BarsGate
from stratvector.trading.ticks import Tick, TickBars


class Closes(Protocol):
    """Where the next close comes from."""

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next close is not recorded, and its bars are at hand or come in time."""

    async def next(self) -> TickBars | None:
        """The bars of the next close; None when there is none."""

    async def close(self) -> None:
        """Nothing more is asked of it."""


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

    async def close(self) -> None:
        """See `Closes.close`."""


class JudgedCloses:
    """Of a run with deadlines, at the leading account: as its reports name them, and from there on
    as its owner judges.
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

    async def close(self) -> None:
        """See `Closes.close`."""


class FollowedCloses:
    """Of a run with deadlines, at another account than the leading one, whose reports are read.

    newest : the newest close before the chapter, ns UTC.
    """

    def __init__(self, bars: BarsReader, leading: AccountFillsReader, newest: int) -> None:
        self._bars, self._leading, self._newest = bars, leading, newest

    async def look(self, patience_seconds: float) -> bool:
        """See `Closes.look`."""
        return await self._leading.look(patience_seconds)

    async def next(self) -> TickBars | None:
        """See `Closes.next`."""
        ended = partial(self._bars.have_ended, self._newest)
        reports = await self._leading.after(self._newest, ended)
        if not reports:
            return None
        tick = named_tick(reports)
        self._newest = tick.close_time
        return await self._bars.named(tick)

    async def close(self) -> None:
        """See `Closes.close`."""
        await self._leading.close()
