"""The simulated broker behind the broker port: paper and replay."""

from collections.abc import Sequence

from stratvector.runtime.ports import Acknowledgement
from stratvector.trading.carried import Carried
from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.simulated_broker import SimulatedBroker
from stratvector.trading.ticks import TickBars


class SimulatedBrokerAdapter:
    """Every order that was claimed is there: the log is this broker's only memory."""

    is_external = False

    def __init__(self, portfolio: Portfolio) -> None:
        self._broker = SimulatedBroker(portfolio)

    def begin(self, portfolio: Portfolio, carried: Carried | None) -> None:
        """New orders get the chapter's costs."""
        self._broker.begin(portfolio, carried)

    async def send(self, order: ApprovedOrder, epoch: int) -> Acknowledgement:
        """Accept."""
        self._broker.accept(order)
        return Acknowledgement(accepted=True)

    async def find(self, order: ApprovedOrder) -> Acknowledgement | None:
        """A claimed order counts as accepted, so that a crash changes no result."""
        self._broker.accept(order)
        return Acknowledgement(accepted=True)

    async def cancel(self, order_id: str) -> bool:
        """True if the order was working."""
        return self._broker.cancel(order_id)

    async def events_until(self, bars: TickBars) -> Sequence[FillEvent]:
        """Match the working orders of the closing symbols, after those that late bars fill."""
        closing = [one.noun for one in bars.closing]
        return self._broker.match(bars.close_time, closing, [one.noun for one in bars.late])
