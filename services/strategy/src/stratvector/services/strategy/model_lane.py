"""One model's lane: bars in, signals out, its memory carried by its own messages."""

import numpy as np
from numpy.typing import NDArray

from stratvector.contracts.codecs import decode_signals, encode_signals
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import Received, UniverseReader
from stratvector.services.strategy.window import Window
from stratvector.trading.bars import ClosedBars
from stratvector.trading.engine.scan import decide_row
from stratvector.trading.flow import hop, subject
from stratvector.trading.identity import message_id
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import SignalRow, Signals, derive_action
from stratvector.trading.strategy import Strategy


class ForeignSignals(RuntimeError):
    """The lane holds signals of another universe or of a model with another memory."""

    def __init__(self, lane: str, signals: Signals, symbols: tuple[str, ...], numbers: int) -> None:
        found = ", ".join(row.symbol for row in signals.rows)
        super().__init__(
            f"{lane} holds signals of {found} with a state of {len(signals.state)} numbers; "
            f"this model is over {', '.join(symbols)} with {numbers}"
        )
        self.lane = lane


class ModelLane:
    """Publishes one model's signals at each close of its universe from `start` to `end`."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        model: ModelAllocation,
        strategy: Strategy,
        start: int,
        end: int,
    ) -> None:
        universe = portfolio.universe(model.universe)
        self._portfolio, self._model, self._strategy = portfolio.name, model.name, strategy
        self._parameters = strategy.parameters()
        self._start, self._end = start, end
        self._symbols = universe.symbols
        self._window = Window(universe.symbols, strategy.history)
        self._state: NDArray[np.float64] = strategy.initial_state(len(universe.symbols))
        self._held = [0.0] * len(universe.symbols)
        self._published = -1
        self.lane = Lane(ports, subject("signals", portfolio=portfolio.name, model=model.name))
        self._bars = UniverseReader(ports, f"strategy-{portfolio.name}-{model.name}", universe)

    async def run(self) -> None:
        """Own the lane, adopt what is published, compute and publish the rest."""
        await self.lane.acquire()
        async for stored in self.lane.history():
            self._adopt(decode_signals(stored.message.payload))
        while True:
            received = await self._bars.next()
            await self._on_bars(received)
            if received.noun.close_time >= self._end:
                self.lane.release()
                return

    def _adopt(self, signals: Signals) -> None:
        """Go on from what an earlier owner left. Raises ForeignSignals."""
        symbols = tuple(row.symbol for row in signals.rows)
        if symbols != self._symbols or len(signals.state) != self._state.size:
            raise ForeignSignals(self.lane.subject, signals, self._symbols, self._state.size)
        self._published = signals.close_time
        self._state = np.array(signals.state, dtype=np.float64)
        self._remember(signals.rows)

    async def _on_bars(self, received: Received[ClosedBars]) -> None:
        section = received.noun
        self._window.append(section)
        if section.close_time <= self._published:
            return
        rows = self._compute()
        if section.close_time < self._start:
            return
        signals = Signals(
            self._portfolio,
            self._model,
            self._strategy.version,
            section.close_time,
            rows,
            tuple(self._state.tolist()),
            received.id,
        )
        self._remember(rows)
        identity = message_id(hop("signals").stream, self.lane.subject, section.close_time)
        await self.lane.publish(identity, encode_signals(signals))

    def _compute(self) -> tuple[SignalRow, ...]:
        """The rows of the newest close; advances the model's memory."""
        if not self._window.is_full():
            return tuple(self._row(n, 0.0, 0.0, True) for n in range(len(self._symbols)))
        row = np.ascontiguousarray(self._strategy.features(self._window.bars())[-1])
        decided = decide_row(self._strategy.decide, row, self._parameters, self._state)
        pairs = enumerate(zip(*(values.tolist() for values in decided), strict=True))
        return tuple(self._row(n, weight, sure, False) for n, (weight, sure) in pairs)

    def _row(self, n: int, weight: float, confidence: float, warming_up: bool) -> SignalRow:
        reason = SignalReason.WARMING_UP if warming_up else SignalReason.NONE
        if weight != weight:
            reason, confidence = SignalReason.MISSING_DATA, 0.0
        action = derive_action(self._held[n], weight)
        return SignalRow(self._symbols[n], weight, confidence, action, reason)

    def _remember(self, rows: tuple[SignalRow, ...]) -> None:
        """The last good weights, which the next actions are relative to."""
        for n, row in enumerate(rows):
            if row.weight == row.weight:
                self._held[n] = row.weight
