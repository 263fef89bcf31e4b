"""progress: how far a portfolio's decisions are, for who runs ahead of them."""

from collections.abc import Container

from stratvector.contracts.codecs import Decided, decode_decided
from stratvector.runtime.chapters import Standing, opened_chapter
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Kind, Ports
from stratvector.runtime.readers import carried_sequence, opening_in
from stratvector.trading.lanes import orders_lane
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import Absurd


class ProgressReader:
    """The portfolio's `orders` lane, of which only the close times are wanted.

    closes : those that may be decided, ns UTC, as far as the portfolio has no other universes than
    here: when others close is not known. standing : the chapter to begin with, None for the first.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        closes: Container[int],
        standing: Standing | None = None,
    ) -> None:
        self.lane = orders_lane(portfolio)
        carried = None if standing is None else standing.carried
        self._inbox = Inbox(ports, self.lane, after=carried_sequence(carried, self.lane))
        self._bus, self._run = ports.bus, portfolio.run
        self._closes: Container[int] | None = closes
        self._universes = {universe.name for universe in portfolio.universes}
        if standing is not None:
            self._note(standing)

    async def next(self) -> Decided:
        """How far the next decision is. Raises Absurd, BadMessage."""
        stored = await self._inbox.next()
        while stored.message.kind is Kind.OPENED:
            self._note(await opened_chapter(self._bus, opening_in(stored), self._run))
            stored = await self._inbox.next()
        decided = decode_decided(stored.message.payload)
        if self._closes is not None and decided.close_time not in self._closes:
            raise Absurd(f"close_time is {decided.close_time} ns, at which no universe closes")
        return decided

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return await self._inbox.look(patience_seconds)

    def _note(self, standing: Standing) -> None:
        if not {universe.name for universe in standing.portfolio.universes} <= self._universes:
            self._closes = None
