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
from stratvector.services.strategy.model_state import ModelState
from stratvector.trading.bad_strategy import BadStrategy
from stratvector.trading.live_model import LiveModel
from stratvector.trading.portfolio import ModelAllocation, Portfolio

if TYPE_CHECKING:
    from stratvector.trading.strategy import Strategy


class Roster:
    """Begins a lane for each model, once. Used by the coroutines of its lanes."""

    def __init__(self, ports: Ports, session: SessionParts) -> None:
        self._ports, self._start = ports, session.start
        portfolio = session.portfolio
        self._key = f"{portfolio.run}.{portfolio.name}"
        self._confirmations = Confirmations(
            ports.key_value, "strategy", portfolio.run, portfolio.name
        )
        self._confirmed = ""
        self._lanes: dict[str, ModelLane] = {}
        self._first = self._new_lanes(portfolio, portfolio.models, session.strategies)

    def tasks(self) -> Tasks:
        """Of the models that it begins with."""
        return _tasks(self._first)

    def states(self) -> list[ModelState]:
        """The models of the newest chapter as of their newest signals."""
        return [lane.state() for lane in self._lanes.values() if not lane.is_removed]

    async def prepare(self, proposed: Standing) -> None:
        """Load the models that a chapter would add, and say whether they can be; once."""
        if proposed.id == self._confirmed:
            return
        self._confirmed = proposed.id
        try:
            portfolio = proposed.portfolio
            added = [model for model in portfolio.active if model.name not in self._lanes]
            if added:
                await self._ports.aside(partial(_load, proposed, added))
            refused = ""
        except (BadSession, CannotStart, BadStrategy, ValueError, TypeError) as error:
            refused = str(error)
        await self._confirmations.say(proposed.id, refused)

    def take_up(self, standing: Standing) -> None:
        """Begin the lanes of models that a chapter has and that are not here yet. Raises
        CannotStart, BadSession.
        """
        portfolio = standing.portfolio
        added = [model for model in portfolio.active if model.name not in self._lanes]
        if added:
            lanes = self._new_lanes(portfolio, added, strategies_in(standing.chapter))
            self._ports.begin(self._key, _tasks(lanes))

    def _new_lanes(
        self,
        portfolio: Portfolio,
        models: Sequence[ModelAllocation],
        strategies: Mapping[str, "Strategy"],
    ) -> list[ModelLane]:
        lanes = [
            ModelLane(self._ports, portfolio, model, strategies[model.name], self._start, self)
            for model in models
        ]
        self._lanes |= {model.name: lane for model, lane in zip(models, lanes, strict=True)}
        return lanes


def _tasks(lanes: Sequence[ModelLane]) -> Tasks:
    return Tasks(main=[one.run() for one in lanes], lanes=[one.lane for one in lanes])


def _load(proposed: Standing, added: Sequence[ModelAllocation]) -> None:
    """Import and compile. Raises BadSession, BadStrategy."""
    portfolio, strategies = proposed.portfolio, strategies_in(proposed.chapter)
    for model in added:
        if model.name not in strategies:
            raise BadSession(f"the document names no strategy of model {model.name}")
        LiveModel(strategies[model.name], portfolio.universe(model.universe).symbols)
