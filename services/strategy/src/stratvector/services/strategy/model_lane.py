"""One model's lane: bars in, signals out, its memory carried by its own messages."""

from stratvector.contracts.codecs import decode_signals, encode_signals
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.readers import UnfitMessage, UniverseReader
from stratvector.services.strategy.model_state import ModelState
from stratvector.trading.bad_strategy import BadStrategy
from stratvector.trading.bars import ClosedBars
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import signals_lane
from stratvector.trading.live_model import LiveModel
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.signals import check_signals, check_signals_of
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import SignalRow, Signals
from stratvector.trading.strategy import Strategy


class ForeignSignals(UnfitMessage):
    """The lane holds signals of another universe or of a model with another memory."""

    def __init__(self, lane: str, signals: Signals, symbols: tuple[str, ...], numbers: int) -> None:
        found = ", ".join(row.symbol for row in signals.rows)
        super().__init__(
            f"{lane} holds signals of {found} with a state of {len(signals.state)} numbers; "
            f"this model is over {', '.join(symbols)} with {numbers}"
        )
        self.lane = lane


class BrokenStrategy(CannotStart):
    """The model's strategy gives what no run can use; another start would change nothing."""

    def __init__(self, model: str, error: BadStrategy) -> None:
        super().__init__(f"model {model}: {error}")
        self.model = model


class ModelLane:
    """Publishes one model's signals at each close of its universe from `start` (ns UTC) on.

    Raises BrokenStrategy, also from `run`.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        model: ModelAllocation,
        strategy: Strategy,
        start: int,
    ) -> None:
        universe = portfolio.universe(model.universe)
        self._portfolio, self._name, self._version = portfolio.name, model.name, strategy.version
        self._start = start
        self._symbols, self._own = universe.symbols, Own.of(portfolio)
        try:
            self._model = LiveModel(strategy, universe.symbols)
        except BadStrategy as error:
            raise BrokenStrategy(model.name, error) from None
        self._allocation, self._strategy = model, strategy.name
        self._published = -1
        self._rows: tuple[SignalRow, ...] = ()
        self.lane = Lane(ports, signals_lane(portfolio, model.name))
        self._bars = UniverseReader(ports, portfolio, universe)

    def state(self) -> ModelState:
        """The model as of its newest signals."""
        return ModelState(
            self._name,
            self._strategy,
            self._version,
            self._allocation.universe,
            self._symbols,
            self._allocation.budget_fraction,
            self._published if self._published >= 0 else None,
            self._rows,
        )

    async def run(self) -> None:
        """Own the lane, adopt what is published, compute and publish the rest."""
        await self.lane.acquire()
        async for stored in self.lane.history():
            self._adopt(decode_signals(stored.message.payload))
        while True:
            received = await self._bars.next()
            await self._on_bars(received)
            if not received.noun.next_close:
                return

    def _adopt(self, signals: Signals) -> None:
        """Go on from what an earlier owner left. Raises ForeignSignals, Absurd."""
        if not self._model.fits(signals):
            numbers = len(self._model.state)
            raise ForeignSignals(self.lane.subject, signals, self._symbols, numbers)
        check_signals_of(signals, self._own, self._name)
        self._published, self._rows = signals.close_time, signals.rows
        self._model.adopt(signals)

    async def _on_bars(self, received: Logged[ClosedBars]) -> None:
        section = received.noun
        self._model.observe(section)
        if section.close_time <= self._published:
            return
        try:
            rows = self._model.rows()
        except BadStrategy as error:
            raise BrokenStrategy(self._name, error) from None
        if section.close_time < self._start:
            return
        signals = Signals(
            self._portfolio,
            self._name,
            self._version,
            section.close_time,
            rows,
            self._model.state,
            received.id,
        )
        # What every reader would refuse is not published: the model's own lane says why.
        check_signals(signals)
        check_signals_of(signals, self._own, self._name)
        self._model.remember(rows)
        identity = message_id(hop("signals").stream, self.lane.subject, section.close_time)
        await self.lane.publish(identity, encode_signals(signals), section.close_time)
        self._published, self._rows = section.close_time, rows
