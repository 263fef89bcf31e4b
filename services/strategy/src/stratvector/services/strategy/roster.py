"""roster: the models of one portfolio in this process: those that it began with, and those that
chapters add while it runs.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from stratvector.runtime.chapters import Standing, strategies_in
from stratvector.runtime.confirmations import Confirmations
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.session_document import BadSession
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.bad_strategy import BadStrategy
from stratvector.trading.live_model import LiveModel
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.versions import begins_anew

if TYPE_CHECKING:
    from stratvector.trading.strategy import Strategy


class Roster:
    """Begins a lane for each model. Used by the coroutines of its lanes.

    lanes : by model, as they are now; one that is lost or moves is another afterwards.
    """

    def __init__(self, ports: Ports, session: SessionParts) -> None:
        self._ports, self._session = ports, session
        portfolio = session.portfolio
        self._key = f"{portfolio.run}.{portfolio.name}"
        self._confirmations = Confirmations(
            ports.key_value, "strategy", portfolio.run, portfolio.name
        )
        self._confirmed = ""
        self.lanes: dict[str, ModelLane] = {}

    def tasks(self) -> Tasks:
        """Of the models that the session names."""
        portfolio = self._session.portfolio
        return self._begun(portfolio, portfolio.models, self._session.strategies)

    async def prepare(self, proposed: Standing) -> None:
        """Load the models that a chapter would add or give other symbols, and say whether they can
        be. Each lane does until one has, as any of them may be moved away meanwhile.
        """
        if proposed.id == self._confirmed:
            return
        try:
            new = [one for one in proposed.portfolio.active if self._is_new(proposed, one)]
            if new:
                await self._ports.aside(partial(_load, proposed, new))
            refused = ""
        except (BadSession, CannotStart, BadStrategy, ValueError, TypeError) as error:
            refused = str(error)
        await self._confirmations.say(proposed.id, refused)
        self._confirmed = proposed.id

    def take_up(self, standing: Standing) -> None:
        """Begin the lanes of models that a chapter has and that are not here yet. Raises
        CannotStart, BadSession.
        """
        portfolio = standing.portfolio
        if added := self._added(portfolio):
            begun = self._begun(portfolio, added, strategies_in(standing.chapter))
            self._ports.begin(self._key, begun)

    def _is_new(self, proposed: Standing, model: ModelAllocation) -> bool:
        if model.name not in self.lanes:
            return True
        portfolio = proposed.portfolio
        return begins_anew(portfolio, portfolio.universe(model.universe), proposed.carried)

    def _added(self, portfolio: Portfolio) -> list[ModelAllocation]:
        return [model for model in portfolio.active if model.name not in self.lanes]

    def _begun(
        self,
        portfolio: Portfolio,
        models: Sequence[ModelAllocation],
        strategies: Mapping[str, "Strategy"],
    ) -> Tasks:
        def make(model: ModelAllocation) -> Tasks:
            strategy, start = strategies[model.name], self._session.start
            lane = ModelLane(self._ports, portfolio, model, strategy, start, self)
            self.lanes[model.name] = lane
            return Tasks([lane.run()], [lane.lane])

        return Tasks.of([partial(make, model) for model in models])


def _load(proposed: Standing, models: Sequence[ModelAllocation]) -> None:
    """Import and compile. Raises BadSession, BadStrategy."""
    portfolio, strategies = proposed.portfolio, strategies_in(proposed.chapter)
    for model in models:
        if model.name not in strategies:
            raise BadSession(f"the document names no strategy of model {model.name}")
        LiveModel(strategies[model.name], portfolio.universe(model.universe).symbols)
