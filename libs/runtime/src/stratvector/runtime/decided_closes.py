"""decided_closes: the closes of a portfolio as its decisions tell them, for who follows and judges
nothing: the ledger, drift.
"""

from functools import partial

from stratvector.runtime.bars_reader import BarsReader
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import OrdersReader, Received
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Opened
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import has_deadlines
from stratvector.trading.ticks import Tick, TickBars


class DecidedCloses:
    """The lanes of orders and bars in one chapter, followed page by page. start, carried : see
    `UniverseReader`.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        start: int,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        self._bars = BarsReader(ports, portfolio, start, True, carried)
        self._decisions = OrdersReader(ports, portfolio, True, chapter, carried)
        self._has_deadlines = has_deadlines(portfolio.run)
        self._newest = -1 if carried is None else carried.close_time

    async def next(self) -> Received[Decision] | Opened | None:
        """The decision of the next close, None when there is none; it is a close's last message, so
        once it is there, the others are. Or the opening of the next chapter, where another engine
        goes on. Raises OutOfStep.
        """
        received = await self._received()
        if isinstance(received, Received):
            self._newest = received.noun.close_time
        return received

    async def _received(self) -> Received[Decision] | Opened | None:
        if self._has_deadlines:
            has_ended = partial(self._bars.have_ended, self._newest)
            return await self._decisions.after(self._newest, has_ended)
        due = await self._bars.due()
        return None if due is None else await self._decisions.at(due.close_time)

    async def bars(self, decision: Decision) -> TickBars:
        """Those that the decision used. Raises what `BarsReader.named` and `at` raise."""
        if self._has_deadlines:
            return await self._bars.named(Tick.of_decision(decision))
        bars = await self._bars.next()
        assert bars is not None, "the close of the decision is due"
        return bars

    def at_hand(self) -> bool:
        """Whether the next decision is here without asking the bus."""
        return self._decisions.at_hand()

    async def opening(self) -> Opened:
        """See `OrdersReader.opening`."""
        return await self._decisions.opening()
