"""What the log says of a portfolio's models: every replica answers alike, whichever runs them."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratvector.contracts.codecs import decode_signals
from stratvector.runtime.chapters import Standing, newest_chapter, strategies_in
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.epochs import newest_content
from stratvector.runtime.ports import Bus
from stratvector.trading.lanes import chapters_lane, signals_lane
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import SignalRow
from stratvector.trading.strategy import Strategy


@dataclass(frozen=True)
class ModelState:
    """As of the newest signals in the log. strategy, version : of the code.

    close_time : of these signals, ns UTC, None before the first. rows : theirs.
    """

    model: str
    strategy: str
    version: str
    universe: str
    symbols: tuple[str, ...]
    budget_fraction: float
    close_time: int | None
    rows: tuple[SignalRow, ...]


class LoggedModels:
    """The models of one portfolio in one run."""

    def __init__(self, bus: Bus, session: SessionParts) -> None:
        self._bus, self._session = bus, session
        self._standing: Standing | None = None
        self._strategies: Mapping[str, Strategy] = {}

    async def states(self) -> list[ModelState]:
        """Every model that sends signals, as it is now, in config order."""
        portfolio = await self._portfolio()
        return [await self._state(portfolio, model) for model in portfolio.active]

    async def _portfolio(self) -> Portfolio:
        """As the newest open chapter has it; what is only proposed is looked at each time."""
        begun = self._session.portfolio
        last = await self._bus.last(chapters_lane(begun))
        if last is None or self._standing is None or self._standing.sequence != last.sequence:
            self._standing = await newest_chapter(self._bus, begun.run, begun.name)
            if self._standing is not None:
                self._strategies = strategies_in(self._standing.chapter)
        if self._standing is None:
            self._strategies = self._session.strategies
        return begun if self._standing is None else self._standing.portfolio

    async def _state(self, portfolio: Portfolio, model: ModelAllocation) -> ModelState:
        strategy, universe = (
            self._strategies[model.name],
            portfolio.universe(model.universe),
        )
        newest = await newest_content(self._bus, signals_lane(portfolio, model.name))
        signals = None if newest is None else decode_signals(newest.message.payload)
        return ModelState(
            model.name,
            strategy.name,
            strategy.version,
            universe.name,
            universe.symbols,
            model.budget_fraction,
            None if signals is None else signals.close_time,
            () if signals is None else signals.rows,
        )
