"""roster: the models of one portfolio in this process: those that it began with, those that
chapters add while it runs, and the versions that chapters give them.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from stratvector.runtime.chapter_changes import as_first, strategy_described
from stratvector.runtime.chapters import Standing, strategy_in
from stratvector.runtime.confirmations import Confirmations
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_bars import bars_before
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.session_document import BadSession, canonical, described
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.bad_strategy import BadStrategy
from stratvector.trading.lanes import bars_lane
from stratvector.trading.live_model import LiveModel
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.versions import begins_anew

if TYPE_CHECKING:
    from stratvector.trading.strategy import Strategy

    # By model, and by what a document says of its strategy.
    Loaded = dict[tuple[str, str], Strategy]


class Roster:
    """Begins a lane for each model. Used by the coroutines of its lanes.

    lanes : by model, as they are now; one that is lost or moves is another afterwards. Strategies
    are kept by how documents describe them: a model that gets a new version has two of them here,
    of which each lane has the one that its chapter names.
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
        self._strategies: Loaded = {}
        # What the run began with need not be at hand any more: a lane asks for what holds.
        with suppress(BadSession):
            for name, strategy in session.strategies.items():
                self._strategies[name, canonical(described(strategy))] = strategy

    def tasks(self) -> Tasks:
        """Of the models that the session names."""
        portfolio = self._session.portfolio
        return self._begun(portfolio, portfolio.models)

    async def prepare(self, proposed: Standing) -> None:
        """Load the models that a chapter would add, or give another strategy or other symbols, and
        say whether they can be. Each lane does until one has, as any of them may be moved away
        meanwhile.
        """
        if proposed.id == self._confirmed:
            return
        try:
            new = [one for one in proposed.portfolio.active if self._is_new(proposed, one)]
            if new:
                loaded = await self._ports.aside(partial(_load, proposed, new))
                await self._refuse_purged(proposed, new, loaded)
                self._strategies |= loaded
            refused = ""
        except (BadSession, CannotStart, BadStrategy, ValueError, TypeError) as error:
            refused = str(error)
        await self._confirmations.say(proposed.id, refused)
        self._confirmed = proposed.id

    async def _refuse_purged(
        self, proposed: Standing, models: Sequence[ModelAllocation], loaded: "Loaded"
    ) -> None:
        """A model begins on all bars that it looks back on, or on all that there ever were: how
        many a purge has left must not decide what it says. Raises BadSession.
        """
        portfolio, carried, bus = proposed.portfolio, proposed.carried, self._ports.bus
        for model in models:
            universe = portfolio.universe(model.universe)
            lane = bars_lane(portfolio, universe)
            first = await bus.read(lane, 0, 1)
            if carried is None or not first or not first[0].previous:
                continue  # nothing of it was purged
            history = loaded[model.name, strategy_described(proposed.chapter, model.name)].history
            newest, until = carried.sequences.get(lane, 0), carried.bars_until(universe.name)
            before, _ = await bars_before(bus, portfolio, universe, newest, history, until)
            if len(before) < history:
                raise BadSession(
                    f"model {model.name} looks back on {history:,} closes of universe "
                    f"{universe.name}, and a purge has left {len(before):,}: give it a shorter "
                    "history, or begin another run"
                )

    def take_up(self, standing: Standing) -> None:
        """Begin the lanes of models that a chapter has and that are not here yet. Raises
        CannotStart, BadSession.
        """
        portfolio = standing.portfolio
        if added := self._added(portfolio):
            self._ports.begin(self._key, self._begun(portfolio, added))

    def strategy(self, standing: Standing | None, model: str) -> "Strategy":
        """The one that a chapter names; None is the first chapter. Raises BadSession."""
        if standing is None:
            return self._session.strategies[model]
        key = model, strategy_described(standing.chapter, model)
        if key not in self._strategies:
            self._strategies[key] = strategy_in(standing.chapter, model)
        return self._strategies[key]

    def _is_new(self, proposed: Standing, model: ModelAllocation) -> bool:
        key = model.name, strategy_described(proposed.chapter, model.name)
        if model.name not in self.lanes or key not in self._strategies:
            return True
        portfolio = proposed.portfolio
        return begins_anew(portfolio, portfolio.universe(model.universe), proposed.carried)

    def _added(self, portfolio: Portfolio) -> list[ModelAllocation]:
        return [model for model in portfolio.active if model.name not in self.lanes]

    def _begun(
        self,
        portfolio: Portfolio,
        models: Sequence[ModelAllocation],
    ) -> Tasks:
        def make(model: ModelAllocation) -> Tasks:
            lane = ModelLane(self._ports, portfolio, model, self._session.start, self)
            self.lanes[model.name] = lane
            return Tasks([lane.run()], [lane.lane])

        return Tasks.of([partial(make, model) for model in models])


def _load(proposed: Standing, models: Sequence[ModelAllocation]) -> "Loaded":
    """Import and compile. Raises BadSession, BadStrategy."""
    portfolio, session = proposed.portfolio, LoggedSession(as_first(proposed.chapter))
    found: Loaded = {}
    for model in models:
        strategy = session.strategy(model.name)
        if session.is_other_source(model.name, strategy):
            raise BadSession(
                f"model {model.name}: the code of {type(strategy).__qualname__} is not what the "
                "document was made with"
            )
        LiveModel(strategy, portfolio.universe(model.universe).symbols)
        found[model.name, strategy_described(proposed.chapter, model.name)] = strategy
    return found
